"""What a foreign server says of its tools: judged, cut, fingerprinted, and compared with what a person accepted. Pure.

All of it is foreign text: names become safe, descriptions are cut and shown as what they are, schemas keep the few
keywords that describe arguments. A tool that cannot be made safe is refused with a reason.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agents.connecting.connectors.mcp.settings import PinnedTool

MOST_DESCRIPTION: Final = 600
MOST_SCHEMA: Final = 8_000
_MOST_NODES: Final = 300
_DEEPEST: Final = 8
_SAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_ARGUMENT: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PLAIN: Final = frozenset({"type", "enum", "const", "format", "minimum", "maximum", "minItems", "maxItems", "required"})
_NAMED: Final = frozenset({"properties", "$defs"})
_NESTED: Final = ("anyOf", "oneOf", "allOf", "items", "additionalProperties")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A tool as its server offers it now. `unusable` says why it is not used; "" where it can be."""

    name: str
    fingerprint: str
    description: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    unusable: str = ""
    changes_things: bool = False
    """What the server says of it; nobody has to believe a server that says no."""

    def pinned(self) -> PinnedTool:
        return PinnedTool(fingerprint=self.fingerprint, description=self.description, arguments=dict(self.arguments))


def safe_name(name: str) -> str:
    """As models may call it."""
    return _SAFE.sub("_", name)[:40].strip("_") or "tool"


def visible(text: str) -> str:
    """Without characters that are not seen, in one line."""
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs"))
    return " ".join(kept.split())


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def fingerprint(told: Mapping[str, Any]) -> str:
    """Of everything that a server says of a tool, to the letter."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:32]


def digest(offers: Sequence[Offer]) -> str:
    """Names what a person looked at."""
    return fingerprint({one.name: one.fingerprint for one in offers})[:16]


def plain_schema(schema: Mapping[str, Any]) -> dict[str, Any] | str:
    """The arguments as a model is told them, or why they cannot be."""
    try:
        kept = _Plain().of(schema, 0)
    except (ValueError, RecursionError):
        return "its arguments are too large"
    found = {"properties": {}, **kept, "type": "object"}
    if len(json.dumps(found)) > MOST_SCHEMA:
        return "its arguments are too large"
    if wrong := [name for name in found["properties"] if not _ARGUMENT.fullmatch(name)]:
        return f"an argument has a name that cannot be used ({cut(visible(wrong[0]), 40)})"
    return found


class _Plain:
    """Copies a schema without what describes no argument. Raises ValueError for one that is too large or too deep."""

    def __init__(self) -> None:
        self._nodes = 0

    def of(self, node: object, depth: int) -> dict[str, Any]:
        self._nodes += 1
        if depth > _DEEPEST or self._nodes > _MOST_NODES:
            raise ValueError("too large")
        if not isinstance(node, Mapping):
            return {}
        kept: dict[str, Any] = {key: node[key] for key in _PLAIN if key in node}
        if isinstance(words := node.get("description"), str):
            kept["description"] = cut(visible(words), 200)
        if isinstance(target := node.get("$ref"), str) and re.fullmatch(r"#/\$defs/[\w.-]{1,64}", target):
            kept["$ref"] = target
        for key in _NAMED & set(node):
            if isinstance(node[key], Mapping):
                kept[key] = {str(name): self.of(one, depth + 1) for name, one in node[key].items()}
        return kept | {key: self._within(node[key], depth + 1) for key in _NESTED if key in node}

    def _within(self, inner: object, depth: int) -> Any:
        if isinstance(inner, bool):
            return inner
        if isinstance(inner, list):
            return [self.of(one, depth) for one in inner]
        return self.of(inner, depth)


def differences(names: Sequence[str], pinned: Mapping[str, PinnedTool], offers: Mapping[str, Offer]) -> list[str]:
    """In words, of the tools that people named: what is not as it was accepted."""
    told = []
    for name in names:
        before, now = pinned.get(name), offers.get(name)
        shown = cut(visible(name), 60)
        if now is None:
            told.append(f"{shown} is not offered any more")
        elif before is None:
            told.append(f"{shown} is new here: it says “{cut(now.description, 200)}”")
        elif before.fingerprint != now.fingerprint:
            told.append(f"{shown} changed: {_what_changed(before, now)}")
    return told


def _what_changed(before: PinnedTool, now: Offer) -> str:
    parts = []
    if before.description != now.description:
        said, says = _from_the_difference(before.description, now.description)
        parts.append(f"it said “{cut(said, 150)}”, and says now “{cut(says, 300)}”")
    was, has = _properties(before.arguments), _properties(now.arguments)
    if new := sorted(set(has) - set(was)):
        parts.append(f"it takes {', '.join(new[:6])} now")
    if gone := sorted(set(was) - set(has)):
        parts.append(f"it does not take {', '.join(gone[:6])} any more")
    if other := sorted(name for name in set(was) & set(has) if was[name] != has[name]):
        parts.append(f"it describes {', '.join(other[:6])} differently")
    if now.unusable:
        parts.append(f"it cannot be used: {now.unusable}")
    return "; ".join(parts) or "something that is not shown, such as its title, its answers or what it says it changes"


def _from_the_difference(one: str, other: str) -> tuple[str, str]:
    """Both from shortly before they part: a change far behind a long beginning would be cut off unseen."""
    alike = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(0, alike - 40)
    return (f"…{one[start:]}", f"…{other[start:]}") if start else (one, other)


def _properties(arguments: Mapping[str, Any]) -> dict[str, Any]:
    found = arguments.get("properties")
    return {cut(visible(str(k)), 40): v for k, v in found.items()} if isinstance(found, Mapping) else {}
