"""What one line of a log says, whatever program wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ParsedLine:
    """`time` is aware UTC, None for a line that carries none. `level` is lower-case and "" when it is not known.

    `zoned` is false where the line names no time zone, so that one had to be assumed; `dated` is false where it names
    no day. `form` names the spelling that was recognised, for people. `partial` marks a piece of a line that its
    container engine split: the rest follows.
    """

    time: datetime | None
    level: str
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)
    zoned: bool = True
    dated: bool = True
    form: str = ""
    partial: bool = False
