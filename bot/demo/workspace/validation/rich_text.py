"""Rich text, the block behind what a person types. https://docs.slack.dev/reference/block-kit/blocks/rich-text-block"""

from typing import Any

from bot.demo.workspace.model import Json
from bot.demo.workspace.validation.problems import Problems

_INLINE: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "link": ("url",),
    "user": ("user_id",),
    "channel": ("channel_id",),
    "usergroup": ("usergroup_id",),
    "emoji": ("name",),
    "date": ("timestamp", "format"),
    "broadcast": ("range",),
    "color": ("value",),
}
_CONTAINERS = {"rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"}


def check_rich_text(problems: Problems, block: Json, pointer: str) -> None:
    """The whole block, from its containers to each piece of text."""
    if not problems.keys(block, pointer, required=("elements",), optional=("block_id",)):
        return
    for index, element in enumerate(problems.items(block["elements"], f"{pointer}/elements", limit=1000)):
        _container(problems, element, f"{pointer}/elements/{index}")


def _container(problems: Problems, element: Any, pointer: str) -> None:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in _CONTAINERS:
        problems.add(pointer, f"unsupported type: {kind}")
        return
    optional = ("border", "style", "indent", "offset", "language")
    if not problems.keys(element, pointer, required=("elements",), optional=optional):
        return
    if kind == "rich_text_list":
        problems.choice(element.get("style"), f"{pointer}/style", ("bullet", "ordered"))
    check = _container if kind == "rich_text_list" else _inline
    for index, child in enumerate(problems.items(element["elements"], f"{pointer}/elements", limit=1000, least=0)):
        check(problems, child, f"{pointer}/elements/{index}")


def _inline(problems: Problems, element: Any, pointer: str) -> None:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in _INLINE:
        problems.add(pointer, f"unsupported type: {kind}")
        return
    for key in _INLINE[kind]:
        if element.get(key) in (None, ""):
            problems.add(pointer, f"missing required field: {key}")
