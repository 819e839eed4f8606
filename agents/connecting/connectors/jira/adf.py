"""Atlassian's document format, in which Jira Cloud keeps descriptions and comments, from and to plain text. Pure.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/ -- a server of one's own keeps plain text.
What a node shows is kept; its looks, and nodes that nobody knows here, are left out but for the text in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_DEEPEST: Final = 40
_BLOCKS: Final = frozenset(
    {"paragraph", "heading", "codeBlock", "listItem", "tableRow", "taskItem", "decisionItem", "rule", "blockCard"}
)
_BESIDE: Final = frozenset({"tableCell", "tableHeader"})
_SHOWN: Final[Mapping[str, str]] = {"mention": "text", "emoji": "shortName", "status": "text", "inlineCard": "url"}


def text_of(document: Any) -> str:
    """What a person reads of it; a text as it is; "" for anything else."""
    if isinstance(document, str):
        return document
    lines = "".join(_read(document, 0)).split("\n")
    return "\n".join(line.rstrip() for line in lines if line.strip())


def document_of(text: str) -> dict[str, Any]:
    """A paragraph for each line."""
    lines = [line for line in text.split("\n") if line.strip()]
    paragraphs = [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in lines]
    return {"type": "doc", "version": 1, "content": paragraphs}


def _read(node: Any, depth: int) -> Iterator[str]:
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return
    kind, given = str(node.get("type")), node.get("attrs")
    attributes: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    if kind == "text":
        yield str(node.get("text") or "")
        yield from (f" ({href})" for href in _links(node) if href != node.get("text"))
    elif kind == "hardBreak":
        yield "\n"
    elif kind in _SHOWN:
        yield str(attributes.get(_SHOWN[kind]) or "")
    elif kind == "listItem":
        yield "- "
    content = node.get("content")
    for child in content if isinstance(content, Sequence) and not isinstance(content, str) else ():
        yield from _read(child, depth + 1)
    if kind in _BLOCKS:
        yield "\n"
    elif kind in _BESIDE:
        yield " | "


def _links(node: Mapping[str, Any]) -> Iterator[str]:
    marks = node.get("marks")
    for mark in marks if isinstance(marks, list) else ():
        if isinstance(mark, Mapping) and mark.get("type") == "link" and isinstance(mark.get("attrs"), Mapping):
            yield str(mark["attrs"].get("href") or "")
