"""Rows as JSON among an artifact's stored facts, and back.

What an older or newer version stored in another shape is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from agents.rows import KINDS, Row

KEY: Final = "rows"
_BY_NAME: Final[Mapping[str, type[Row]]] = {kind.__name__.lower(): kind for kind in KINDS}
_ADAPTERS: Final[Mapping[type[Row], TypeAdapter[Any]]] = {kind: TypeAdapter(kind) for kind in KINDS}
_NAMES: Final = {kind: frozenset(f.name for f in fields(kind)) for kind in KINDS}


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One object a row; its kind stands under `row`."""
    return [
        {"row": type(row).__name__.lower(), **_ADAPTERS[type(row)].dump_python(row, mode="json", exclude_defaults=True)}
        for row in rows
    ]


def from_json(found: object) -> tuple[Row, ...]:
    """Never raises: a row of an unknown kind or with an unreadable field is left out, an unknown field ignored."""
    if not isinstance(found, list):
        return ()
    rows = (_row(item) for item in found if isinstance(item, Mapping))
    return tuple(row for row in rows if row is not None)


def rows_of(facts: Mapping[str, Any]) -> tuple[Row, ...]:
    """The rows among an artifact's facts; none where it was stored before there were rows."""
    return from_json(facts.get(KEY))


def _row(item: Mapping[str, Any]) -> Row | None:
    kind = _BY_NAME.get(str(item.get("row")))
    if kind is None:
        return None
    try:
        row: Row = _ADAPTERS[kind].validate_python({k: v for k, v in item.items() if k in _NAMES[kind]})
    except ValidationError:
        return None
    return row
