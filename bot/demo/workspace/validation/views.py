"""Modals and Home tabs. https://docs.slack.dev/reference/views"""

from typing import Any

from bot.demo.workspace.validation.messages import check_blocks
from bot.demo.workspace.validation.problems import Problems

_COMMON = ("private_metadata", "callback_id", "external_id")
_MODAL = (*_COMMON, "title", "submit", "close", "clear_on_close", "notify_on_close", "submit_disabled")


def check_view(view: Any, kind: str) -> list[str]:
    """A view of type `modal` or `home`."""
    problems = Problems()
    if not isinstance(view, dict) or view.get("type") != kind:
        problems.add("/view", f"must be a view of type {kind}")
        return problems.messages
    modal = kind == "modal"
    required = ("blocks", "title") if modal else ("blocks",)
    if not problems.keys(view, "/view", required=required, optional=_MODAL if modal else _COMMON):
        return problems.messages
    for name in ("title", "submit", "close"):
        if name in view:
            problems.plain(view[name], f"/view/{name}", limit=24)
    for name, limit in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        if name in view:
            problems.string(view[name], f"/view/{name}", limit=limit, least=0)
    problems.messages += check_blocks(view["blocks"], "modal" if modal else "home", "/view/blocks")
    blocks = view["blocks"] if isinstance(view["blocks"], list) else []
    inputs = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
    if modal and inputs and "submit" not in view:
        problems.add("/view", "a modal with input blocks must have a submit button")
    return problems.messages
