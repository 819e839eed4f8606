"""A stored result as the gate sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.rows import Row


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A stored result as the gate sees it: `id` is the number shown (A3), `text` is what was stored after redaction.

    `rows` are its findings as data; none where an earlier version stored it. `arguments` are what was asked.
    """

    id: str
    tool: str
    source: str
    text: str
    facts: Mapping[str, Any]
    taken_at: datetime
    is_error: bool = False
    rows: tuple[Row, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
