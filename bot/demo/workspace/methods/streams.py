"""Messages that grow while the app writes them: text, tasks and plans.

https://docs.slack.dev/messaging/sending-and-scheduling-messages#text-streaming
Starting a stream makes the thread's agent session processing, and Slack's Stop button ends it.
Slack ends a stream after about 5 minutes: https://github.com/slackapi/python-slack-sdk/issues/1859
"""

from typing import Any, Literal

from bot.demo.workspace.method import ApiError, Args, Context, method, with_ids
from bot.demo.workspace.methods.chat import read_metadata
from bot.demo.workspace.methods.sessions import need_agent, read_status
from bot.demo.workspace.model import Json, StoredMessage
from bot.demo.workspace.validation import check_blocks, check_chunks
from bot.demo.workspace.validation.blocks import MARKDOWN_LIMIT

MAX_TASKS = 50


@method(
    "chat.startStream",
    scope="chat:write",
    arguments="channel thread_ts markdown_text chunks recipient_team_id recipient_user_id task_display_mode",
)
def start_stream(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    context.need_membership(channel)
    thread_ts = args.need("thread_ts")
    context.need_thread(channel, thread_ts)
    if not channel.is_im:
        for name in ("recipient_team_id", "recipient_user_id"):
            if not args.string(name):
                raise ApiError(f"missing_{name}")
        if args.string("recipient_user_id") not in channel.members:
            raise ApiError("user_not_in_channel")
    mode = args.string("task_display_mode") or "timeline"
    if mode not in ("plan", "timeline"):
        raise ApiError("invalid_arguments", ["[ERROR] task_display_mode must be plan or timeline"])
    message = context.state.bot_message(channel.id, "", thread_ts)
    chunks = _read_chunks(message, args)
    message.streaming, message.stream_started_at = "streaming", context.state.clock.time()
    display: Literal["plan", "timeline"] = "plan" if mode == "plan" else "timeline"
    message.task_display_mode = display
    _fold(message, chunks)
    message.notified = bool(message.markdown.strip())
    context.state.add_from_app(message)
    if context.state.app.is_agent:
        context.state.set_session(channel.id, thread_ts, "processing")
    return {"channel": channel.id, "ts": message.ts}


@method("chat.appendStream", scope="chat:write", arguments="channel ts markdown_text chunks")
def append_stream(context: Context, args: Args) -> Json:
    message = _need_stream(context, args)
    chunks = _read_chunks(message, args)
    if not chunks:
        raise ApiError("no_text")
    _fold(message, chunks)
    context.state.changed(message)
    return {"channel": message.channel, "ts": message.ts}


@method(
    "chat.stopStream",
    scope="chat:write",
    arguments="channel ts markdown_text chunks blocks metadata session_status",
)
def stop_stream(context: Context, args: Args) -> Json:
    message = _need_stream(context, args)
    status = read_status(args, "session_status") if args.string("session_status") else None
    blocks = args.parsed("blocks") or []
    if problems := check_blocks(blocks):
        raise ApiError("invalid_blocks", problems)
    chunks = _read_chunks(message, args)
    _fold(message, chunks)
    if not message.stream_blocks and not blocks:
        raise ApiError("no_text")
    message.blocks, message.streaming = with_ids(blocks), "stopped"
    message.metadata = read_metadata(args) or message.metadata
    message.text = message.markdown
    context.state.changed(message)
    if status is not None and message.thread_ts:
        need_agent(context)
        context.state.set_session(message.channel, message.thread_ts, status)
    context.events.message_posted(message)
    return {"channel": message.channel, "ts": message.ts, "message": context.state.api_message(message)}


def _need_stream(context: Context, args: Args) -> StoredMessage:
    channel = context.need_channel(args.need("channel"))
    message = context.need_own_message(channel, args.need("ts"), "message_not_owned_by_app")
    if message.streaming == "stopped_by_user":
        raise ApiError("stopped_by_user")
    if message.streaming != "streaming":
        raise ApiError("message_not_in_streaming_state")
    return message


def _read_chunks(message: StoredMessage, args: Args) -> list[Json]:
    """What the request adds to the stream, as chunks. `markdown_text` and `chunks` exclude each other for good."""
    markdown, chunks = args.string("markdown_text"), args.parsed("chunks") or []
    if markdown and chunks:
        raise ApiError("cannot_provide_both_markdown_text_and_chunks")
    given: Literal["markdown_text", "chunks"] | None = "markdown_text" if markdown else "chunks" if chunks else None
    if given and message.stream_input not in (None, given):
        raise ApiError("streaming_mode_mismatch")
    message.stream_input = message.stream_input or given
    if problems := check_chunks(chunks):
        raise ApiError("invalid_chunks", problems)
    if markdown is not None and len(markdown) > MARKDOWN_LIMIT:
        raise ApiError("msg_too_long")
    return [{"type": "markdown_text", "text": markdown}] if markdown else chunks


def _fold(message: StoredMessage, chunks: list[Json]) -> None:
    """Turn chunks into the blocks that they amount to. Nothing is folded when a limit is passed."""
    blocks = [*message.stream_blocks]
    for chunk in chunks:
        blocks = _fold_one(blocks, chunk, message.task_display_mode)
    folded = StoredMessage(channel="", ts="", user="", text="", stream_blocks=blocks)
    if len(folded.markdown) > MARKDOWN_LIMIT:
        raise ApiError("msg_too_long", [f"[ERROR] a stream may hold {MARKDOWN_LIMIT} characters of markdown"])
    if len(folded.tasks) > MAX_TASKS:
        raise ApiError("invalid_chunks", [f"[ERROR] no more than {MAX_TASKS} tasks allowed"])
    if problems := check_blocks(blocks):
        raise ApiError("invalid_blocks", problems)
    message.stream_blocks = blocks


def _fold_one(blocks: list[Json], chunk: Json, mode: str) -> list[Json]:
    match chunk["type"]:
        case "markdown_text":
            if blocks and blocks[-1]["type"] == "markdown":
                return [*blocks[:-1], {**blocks[-1], "text": blocks[-1]["text"] + chunk["text"]}]
            return [*blocks, {"type": "markdown", "text": chunk["text"]}]
        case "plan_update":
            return _with_plan(blocks, lambda plan: {**plan, "title": chunk["title"]}, title=chunk["title"])
        case "task_update" if mode == "plan":
            return _with_plan(
                blocks, lambda plan: {**plan, "tasks": _with_task(plan["tasks"], chunk)}, title=chunk["title"]
            )
        case "task_update":
            return _with_task(blocks, chunk)
    return [*blocks, *chunk["blocks"]]


def _with_plan(blocks: list[Json], change: Any, *, title: str) -> list[Json]:
    """The plan stands first; without a title of its own it takes the first task's."""
    plan = next((block for block in blocks if block["type"] == "plan"), None)
    if plan is None:
        return [change({"type": "plan", "title": title, "tasks": []}), *blocks]
    return [change(block) if block is plan else block for block in blocks]


def _with_task(blocks: list[Json], chunk: Json) -> list[Json]:
    """Details and output are appended to what the task already says, as Slack does; title and status are replaced."""
    known = next((block for block in blocks if block.get("task_id") == chunk["id"]), None)
    task: Json = {"type": "task_card", "task_id": chunk["id"], "title": chunk["title"], "status": chunk["status"]}
    for name in ("details", "output"):
        before = _plain(known[name]) if known and name in known else ""
        if after := before + chunk.get(name, ""):
            task[name] = _rich(after)
    if sources := [*(known or {}).get("sources", []), *chunk.get("sources", [])]:
        task["sources"] = sources
    if known is None:
        return [*blocks, task]
    return [task if block is known else block for block in blocks]


def _rich(text: str) -> Json:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def _plain(rich: Json) -> str:
    return str(rich["elements"][0]["elements"][0]["text"])
