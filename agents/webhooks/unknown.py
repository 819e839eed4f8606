"""A body that nobody knows: kept, with the best title that it has, and shown as what it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from agents.webhooks.contract import Normalised
from agents.webhooks.reading import at, text

_TITLES: Final = ("title", "summary", "subject", "name", "alertname", "message", "text", "description", "event")
_DEPTH: Final = 3


def unknown_shape(provider: str, body: Any) -> Normalised:
    """Of kind other, so that nothing is done because of it."""
    title = next(_titles(body, 0), "")
    return Normalised(
        provider=provider,
        known=False,
        kind="other",
        title=f"Unknown message of {provider}: {title}" if title else f"Unknown message of {provider}",
        key=f"{provider}:unknown:{digest(body)}",
    )


def digest(body: Any) -> str:
    """The same for the same value, whatever the order of its keys."""
    try:
        written = json.dumps(body, sort_keys=True, default=repr)
    except (TypeError, ValueError, RecursionError):
        written = type(body).__name__
    return hashlib.sha256(written.encode(errors="replace")).hexdigest()[:32]


def _titles(body: Any, depth: int) -> Iterator[str]:
    if not isinstance(body, dict) or depth > _DEPTH:
        return
    for name in _TITLES:
        if found := text(at(body, name)):
            yield found[:300]
    for value in body.values():
        yield from _titles(value, depth + 1)
