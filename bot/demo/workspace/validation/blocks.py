"""One block of each type that a message, modal or Home tab may hold.

https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Callable
from typing import Any, Literal

from bot.demo.workspace.model import Json
from bot.demo.workspace.validation.data import check_chart, check_data_table, check_table
from bot.demo.workspace.validation.elements import (
    CONTEXT_ACTION_ELEMENTS,
    INPUT_ELEMENTS,
    MESSAGE_ELEMENTS,
    check_action_ids,
    check_element,
    check_image,
)
from bot.demo.workspace.validation.problems import Problems
from bot.demo.workspace.validation.rich_text import check_rich_text

Surface = Literal["message", "modal", "home"]
Check = Callable[[Problems, Json, str], None]

TASK_STATUSES = ("pending", "in_progress", "complete", "error")
MARKDOWN_LIMIT = 12_000

_EVERYWHERE = {"section", "divider", "image", "actions", "context", "header", "rich_text", "alert"}
_MESSAGE_ONLY = {"markdown", "context_actions", "table", "data_table", "data_visualization", "plan", "task_card"}
_ALLOWED: dict[Surface, set[str]] = {
    "message": _EVERYWHERE | _MESSAGE_ONLY,
    "modal": _EVERYWHERE | {"input"},
    "home": _EVERYWHERE | {"input"},
}


def check_block(problems: Problems, block: Any, pointer: str, surface: Surface) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in _ALLOWED[surface]:
        problems.add(pointer, f"unsupported type: {kind}")
        return
    if "block_id" in block:
        problems.string(block["block_id"], f"{pointer}/block_id", limit=255)
    _CHECKS[kind](problems, block, pointer)


def check_task(problems: Problems, task: Any, pointer: str) -> None:
    """A `task_card`, alone or inside a plan."""
    if not isinstance(task, dict) or task.get("type") != "task_card":
        problems.add(pointer, "must be a task_card block")
        return
    optional = ("details", "output", "sources", "block_id")
    if not problems.keys(task, pointer, required=("task_id", "title", "status"), optional=optional):
        return
    problems.string(task["task_id"], f"{pointer}/task_id", limit=255)
    problems.string(task["title"], f"{pointer}/title", limit=256)
    problems.choice(task["status"], f"{pointer}/status", TASK_STATUSES)
    for name in ("details", "output"):
        if name in task:
            check_rich_text(problems, task[name], f"{pointer}/{name}")
    check_sources(problems, task.get("sources", []), f"{pointer}/sources")


def check_sources(problems: Problems, sources: Any, pointer: str) -> None:
    for index, source in enumerate(problems.items(sources, pointer, limit=100, least=0)):
        where = f"{pointer}/{index}"
        if not isinstance(source, dict) or source.get("type") != "url":
            problems.add(where, "must be a url source element")
        elif problems.keys(source, where, required=("url", "text"), optional=("icon_url",)):
            problems.url(source["url"], f"{where}/url")


def _section(problems: Problems, block: Json, pointer: str) -> None:
    problems.keys(block, pointer, optional=("text", "fields", "accessory", "block_id", "expand"))
    if "text" not in block and "fields" not in block:
        problems.add(pointer, "either text or fields must be given")
    if "text" in block:
        problems.text(block["text"], f"{pointer}/text", limit=3000)
    if "fields" in block:
        for index, item in enumerate(problems.items(block["fields"], f"{pointer}/fields", limit=10)):
            problems.text(item, f"{pointer}/fields/{index}", limit=2000)
    if "accessory" in block:
        accessory, where = block["accessory"], f"{pointer}/accessory"
        if isinstance(accessory, dict) and accessory.get("type") == "image":
            check_image(problems, accessory, where)
        else:
            check_element(problems, accessory, where, MESSAGE_ELEMENTS | {"multi_static_select"})


def _divider(problems: Problems, block: Json, pointer: str) -> None:
    problems.keys(block, pointer, optional=("block_id",))


def _image(problems: Problems, block: Json, pointer: str) -> None:
    check_image(problems, {key: block[key] for key in block if key not in ("title", "block_id")}, pointer)
    if "title" in block:
        problems.plain(block["title"], f"{pointer}/title", limit=2000)


def _actions(problems: Problems, block: Json, pointer: str) -> None:
    if problems.keys(block, pointer, required=("elements",), optional=("block_id",)):
        elements = problems.items(block["elements"], f"{pointer}/elements", limit=25)
        for index, element in enumerate(elements):
            check_element(problems, element, f"{pointer}/elements/{index}", MESSAGE_ELEMENTS)
        check_action_ids(problems, elements, f"{pointer}/elements")


def _context(problems: Problems, block: Json, pointer: str) -> None:
    if not problems.keys(block, pointer, required=("elements",), optional=("block_id",)):
        return
    for index, element in enumerate(problems.items(block["elements"], f"{pointer}/elements", limit=10)):
        where = f"{pointer}/elements/{index}"
        if isinstance(element, dict) and element.get("type") == "image":
            check_image(problems, element, where)
        else:
            problems.text(element, where, limit=2000)


def _context_actions(problems: Problems, block: Json, pointer: str) -> None:
    if problems.keys(block, pointer, required=("elements",), optional=("block_id",)):
        elements = problems.items(block["elements"], f"{pointer}/elements", limit=5)
        for index, element in enumerate(elements):
            check_element(problems, element, f"{pointer}/elements/{index}", CONTEXT_ACTION_ELEMENTS)
        check_action_ids(problems, elements, f"{pointer}/elements")


def _header(problems: Problems, block: Json, pointer: str) -> None:
    if problems.keys(block, pointer, required=("text",), optional=("block_id",)):
        problems.plain(block["text"], f"{pointer}/text", limit=150)


def _markdown(problems: Problems, block: Json, pointer: str) -> None:
    if problems.keys(block, pointer, required=("text",), optional=("block_id",)):
        problems.string(block["text"], f"{pointer}/text", limit=MARKDOWN_LIMIT)


def _alert(problems: Problems, block: Json, pointer: str) -> None:
    if problems.keys(block, pointer, required=("text",), optional=("level", "block_id")):
        problems.text(block["text"], f"{pointer}/text", limit=3000)
        levels = ("default", "info", "warning", "error", "success")
        problems.choice(block.get("level", "default"), f"{pointer}/level", levels)


def _plan(problems: Problems, block: Json, pointer: str) -> None:
    if not problems.keys(block, pointer, required=("title",), optional=("tasks", "block_id")):
        return
    problems.string(block["title"], f"{pointer}/title", limit=256)
    tasks = problems.items(block.get("tasks", []), f"{pointer}/tasks", limit=50, least=0)
    for index, task in enumerate(tasks):
        check_task(problems, task, f"{pointer}/tasks/{index}")
    ids = [task.get("task_id") for task in tasks if isinstance(task, dict)]
    if len(set(ids)) != len(ids):
        problems.add(f"{pointer}/tasks", "task_id must be unique within the plan")


def _input(problems: Problems, block: Json, pointer: str) -> None:
    optional = ("hint", "optional", "dispatch_action", "block_id")
    if problems.keys(block, pointer, required=("label", "element"), optional=optional):
        problems.plain(block["label"], f"{pointer}/label", limit=2000)
        check_element(problems, block["element"], f"{pointer}/element", INPUT_ELEMENTS)
    if "hint" in block:
        problems.plain(block["hint"], f"{pointer}/hint", limit=2000)


_CHECKS: dict[str, Check] = {
    "section": _section,
    "divider": _divider,
    "image": _image,
    "actions": _actions,
    "context": _context,
    "context_actions": _context_actions,
    "header": _header,
    "markdown": _markdown,
    "rich_text": check_rich_text,
    "alert": _alert,
    "table": check_table,
    "data_table": check_data_table,
    "data_visualization": check_chart,
    "plan": _plan,
    "task_card": check_task,
    "input": _input,
}
