"""What a message says in all its parts, in reading order: text, blocks, tables, attachments with their footers,
forwarded messages, files.

What stands in the text already is not said again. https://docs.slack.dev/reference/block-kit/blocks
https://docs.slack.dev/messaging/formatting-message-text/#attachments
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from handlers.slack.inbound.markup import readable

_SILENT: Final = ("actions", "button", "image", "divider", "input")
_INLINE: Final = ("rich_text_section", "rich_text_quote", "rich_text_preformatted")
_KEYS: Final = (
    "author_name",
    "pretext",
    "title",
    "text",
    "fields",
    "elements",
    "blocks",
    "message_blocks",
    "message",
    "footer",
)
_TELLING: Final = ("text", "title", "pretext", "fields", "blocks", "elements", "message_blocks")
_WORD: Final = re.compile(r"[^\W_]+")


def said_lines(
    *, text: str | None, blocks: Sequence[Any], attachments: Sequence[Any], files: Sequence[Any] = ()
) -> list[str]:
    """Lines and paragraphs, each said once."""
    said = [readable(text or "").strip()]
    known = _words(said[0])
    for part in (*_strings(list(blocks)), *_strings(list(attachments))):
        told = readable(part).strip()
        words = _words(told)
        if told and f" {words} " not in f" {known} ":
            said.append(told)
            known += " " + words
    said += [_file(file) for file in files if isinstance(file, Mapping)]
    return [part for part in said if part]


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _strings(node: Any) -> Iterator[str]:
    """Texts inside Block Kit and attachments. A name and a value, and the cells of a row, stay together."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _strings(item)
    elif isinstance(node, Mapping) and node.get("type") not in _SILENT:
        yield from _of_block(node)


def _of_block(node: Mapping[str, Any]) -> Iterator[str]:
    if node.get("type") in _INLINE:
        yield "".join(_inline(part) for part in node.get("elements") or () if isinstance(part, Mapping))
    elif isinstance(node.get("rows"), list):
        for row in node["rows"]:
            cells = row if isinstance(row, list) else row.get("cells", []) if isinstance(row, Mapping) else []
            yield " | ".join(" ".join(_strings(cell)) for cell in cells)
    elif "value" in node and "title" in node:
        yield ": ".join(str(node[key]) for key in ("title", "value") if node[key])
    else:
        found = [text for key in _KEYS if key in node for text in _strings(node[key])]
        if not any(text.strip() for text in found) or not any(node.get(key) for key in _TELLING):
            found += [str(node["fallback"])] if node.get("fallback") else []
        yield from found


def _inline(part: Mapping[str, Any]) -> str:
    match part.get("type"):
        case "user":
            return f"<@{part.get('user_id', '')}>"
        case "emoji":
            return f":{part.get('name', '')}:"
        case "broadcast":
            return f"@{part.get('range', '')}"
        case "link":
            return str(part.get("text") or part.get("url") or "")
    return str(part.get("text") or "")


def _file(file: Mapping[str, Any]) -> str:
    """A snippet's beginning, as Slack sends it; any other file is named as unread."""
    name = str(file.get("name") or file.get("title") or "without a name")
    shown = str(file.get("plain_text") or file.get("preview") or "").strip()
    if not shown:
        return f"(The file {name} is not read.)"
    more = file.get("lines_more") or 0
    cut = f"\n({more} more lines of {name} are not read.)" if more or file.get("preview_is_truncated") else ""
    return f"File {name}:\n{shown}{cut}"
