"""A message's blocks and attachments as a whole, and the chunks of a stream.

Limits that hold per message (blocks, markdown, charts, tables) are counted here, not block by block.
"""

from typing import Any

from bot.demo.workspace.model import Json
from bot.demo.workspace.validation.blocks import (
    MARKDOWN_LIMIT,
    TASK_STATUSES,
    Surface,
    check_block,
    check_sources,
)
from bot.demo.workspace.validation.data import cell_characters
from bot.demo.workspace.validation.problems import Problems

BLOCK_LIMITS: dict[Surface, int] = {"message": 50, "modal": 100, "home": 100}
CELL_CHARACTERS = {"table": 10_000, "data_table": 20_000}

_ATTACHMENT_KEYS = (
    "color",
    "fallback",
    "blocks",
    "pretext",
    "author_name",
    "author_link",
    "title",
    "title_link",
    "text",
    "fields",
    "footer",
    "ts",
    "mrkdwn_in",
    "id",
)
_CHUNK_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "markdown_text": (("text",), ()),
    "plan_update": (("title",), ()),
    "task_update": (("id", "title", "status"), ("details", "output", "sources")),
    "blocks": (("blocks",), ()),
}


def check_blocks(blocks: Any, surface: Surface = "message", pointer: str = "/blocks") -> list[str]:
    problems = Problems()
    items = problems.items(blocks, pointer, limit=BLOCK_LIMITS[surface], least=0)
    for index, block in enumerate(items):
        check_block(problems, block, f"{pointer}/{index}", surface)
    whole = [block for block in items if isinstance(block, dict)]
    _unique_block_ids(problems, whole, pointer)
    if surface == "message":
        _message_totals(problems, whole, pointer)
    return problems.messages


def check_attachments(attachments: Any) -> list[str]:
    problems = Problems()
    for index, attachment in enumerate(problems.items(attachments, "/attachments", limit=20, least=0)):
        where = f"/attachments/{index}"
        if not isinstance(attachment, dict):
            problems.add(where, "must be an attachment object")
            continue
        problems.keys(attachment, where, optional=_ATTACHMENT_KEYS)
        if "blocks" in attachment:
            problems.messages += check_blocks(attachment["blocks"], pointer=f"{where}/blocks")
        for name in ("text", "pretext", "title", "fallback"):
            if name in attachment:
                problems.string(attachment[name], f"{where}/{name}", limit=8000, least=0)
    return problems.messages


def check_chunks(chunks: Any) -> list[str]:
    """Chunks of `chat.startStream`, `appendStream`, `stopStream`."""
    problems = Problems()
    for index, chunk in enumerate(problems.items(chunks, "/chunks", limit=100, least=0)):
        _chunk(problems, chunk, f"/chunks/{index}")
    return problems.messages


def _chunk(problems: Problems, chunk: Any, pointer: str) -> None:
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    if kind not in _CHUNK_KEYS:
        problems.add(pointer, f"unsupported type: {kind}")
        return
    required, optional = _CHUNK_KEYS[kind]
    if not problems.keys(chunk, pointer, required=required, optional=optional):
        return
    if kind == "markdown_text":
        problems.string(chunk["text"], f"{pointer}/text", limit=MARKDOWN_LIMIT)
    elif kind == "plan_update":
        problems.string(chunk["title"], f"{pointer}/title", limit=256)
    elif kind == "blocks":
        problems.messages += check_blocks(chunk["blocks"], pointer=f"{pointer}/blocks")
    else:
        _task_update(problems, chunk, pointer)


def _task_update(problems: Problems, chunk: Json, pointer: str) -> None:
    problems.string(chunk["id"], f"{pointer}/id", limit=255)
    problems.string(chunk["title"], f"{pointer}/title", limit=256)
    problems.choice(chunk["status"], f"{pointer}/status", TASK_STATUSES)
    for name in ("details", "output"):
        if name in chunk:
            problems.string(chunk[name], f"{pointer}/{name}", limit=256, least=0)
    check_sources(problems, chunk.get("sources", []), f"{pointer}/sources")


def _unique_block_ids(problems: Problems, blocks: list[Json], pointer: str) -> None:
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    for duplicate in sorted({str(block_id) for block_id in ids if ids.count(block_id) > 1}):
        problems.add(pointer, f"`block_id` is not unique: {duplicate}")


def _message_totals(problems: Problems, blocks: list[Json], pointer: str) -> None:
    kinds = [block.get("type") for block in blocks]
    if kinds.count("data_visualization") > 2:
        problems.add(pointer, "no more than 2 data_visualization blocks allowed")
    if kinds.count("table") > 1:
        problems.add(pointer, "only one table block allowed")
    markdown = sum(len(str(block.get("text", ""))) for block in blocks if block.get("type") == "markdown")
    if markdown > MARKDOWN_LIMIT:
        problems.add(pointer, f"markdown blocks may hold {MARKDOWN_LIMIT} characters together, not {markdown}")
    for kind, limit in CELL_CHARACTERS.items():
        if sum(cell_characters(block) for block in blocks if block.get("type") == kind) > limit:
            problems.add(pointer, f"{kind} cells may hold {limit} characters together")
