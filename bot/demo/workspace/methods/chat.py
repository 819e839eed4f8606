"""Posting, changing and deleting messages. https://docs.slack.dev/reference/methods?family=chat"""

from dataclasses import dataclass

from bot.demo.workspace.method import TEXT_LIMIT, ApiError, Args, Context, method, with_ids
from bot.demo.workspace.model import Channel, Json, StoredMessage
from bot.demo.workspace.seed import BOT_USER_ID
from bot.demo.workspace.validation import check_attachments, check_blocks


@dataclass(frozen=True, kw_only=True)
class Content:
    """A message's checked content; a list is None when the argument was not given."""

    text: str | None
    blocks: list[Json] | None
    attachments: list[Json] | None
    metadata: Json | None


def read_content(args: Args) -> Content:
    """Text, blocks and attachments within their limits. Raises ApiError with what is wrong."""
    blocks, attachments = args.parsed("blocks"), args.parsed("attachments")
    text, markdown = args.string("text"), args.string("markdown_text")
    if markdown is not None:
        if text or blocks:
            raise ApiError("markdown_text_conflict")
        text, blocks = markdown[:TEXT_LIMIT], [{"type": "markdown", "text": markdown}]
    if text is not None and len(text) > TEXT_LIMIT:
        raise ApiError("msg_too_long", [f"[ERROR] text has {len(text)} characters, {TEXT_LIMIT} are allowed"])
    if blocks is not None and (problems := check_blocks(blocks)):
        raise ApiError("invalid_blocks", problems)
    if attachments is not None and (problems := check_attachments(attachments)):
        raise ApiError("invalid_attachments", problems)
    for attachment in attachments or []:
        if "blocks" in attachment:
            attachment["blocks"] = with_ids(attachment["blocks"])
    stored = None if blocks is None else with_ids(blocks)
    return Content(text=text, blocks=stored, attachments=attachments, metadata=read_metadata(args))


def read_metadata(args: Args) -> Json | None:
    metadata = args.parsed("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload", {}), dict):
        raise ApiError("invalid_metadata_format")
    if "event_type" not in metadata and "entities" not in metadata:
        raise ApiError("invalid_metadata_schema")
    return metadata


def need_text(content: Content) -> str:
    """The fallback that a phone shows. Slack only warns when it is missing; here it is refused."""
    if not (content.text or "").strip():
        raise ApiError("no_text", ["[ERROR] text is what a notification shows; give it beside blocks too"])
    return str(content.text)


@method(
    "chat.postMessage",
    scope="chat:write",
    arguments="channel text blocks attachments thread_ts reply_broadcast unfurl_links unfurl_media metadata "
    "mrkdwn markdown_text link_names parse",
)
def post_message(context: Context, args: Args) -> Json:
    channel = context.need_place(args.need("channel"))
    if BOT_USER_ID not in channel.members and "chat:write.public" not in context.state.app.scopes:
        raise ApiError("not_in_channel")
    thread_ts = args.string("thread_ts")
    context.need_thread(channel, thread_ts)
    content = read_content(args)
    message = context.state.bot_message(channel.id, need_text(content), thread_ts)
    message.blocks, message.attachments = content.blocks or [], content.attachments or []
    message.metadata, message.broadcast = content.metadata, args.flag("reply_broadcast")
    message.notified = True
    context.state.add_from_app(message)
    context.events.message_posted(message)
    return {"channel": channel.id, "ts": message.ts, "message": context.state.api_message(message)}


@method(
    "chat.postEphemeral",
    scope="chat:write",
    arguments="channel user text blocks attachments thread_ts link_names parse markdown_text",
)
def post_ephemeral(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    context.need_membership(channel)
    user = args.need("user")
    if user not in channel.members:
        raise ApiError("user_not_in_channel")
    thread_ts = args.string("thread_ts")
    context.need_thread(channel, thread_ts)
    content = read_content(args)
    message = context.state.bot_message(channel.id, need_text(content), thread_ts)
    message.ephemeral_for = user
    message.blocks, message.attachments = content.blocks or [], content.attachments or []
    context.state.add(message)
    return {"message_ts": message.ts}


def apply_content(context: Context, message: StoredMessage, content: Content) -> None:
    """Replace what is given; what is not given stays."""
    if content.text is not None:
        message.text = content.text
    if content.blocks is not None:
        message.blocks, message.stream_blocks = content.blocks, []
    if content.attachments is not None:
        message.attachments = content.attachments
    if content.metadata is not None:
        message.metadata = content.metadata
    message.edits += 1
    message.edited_ts = context.state.new_ts()
    context.state.changed(message)


@method(
    "chat.update",
    scope="chat:write",
    arguments="channel ts text blocks attachments metadata link_names parse reply_broadcast markdown_text",
)
def update(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    message = context.need_own_message(channel, args.need("ts"), "cant_update_message")
    if message.streaming == "streaming":
        raise ApiError("streaming_state_conflict")
    content = read_content(args)
    if content.text is None and content.blocks is None and content.attachments is None:
        raise ApiError("no_text")
    if content.text is not None or content.blocks:
        need_text(content)
    previous = context.state.api_message(message)
    apply_content(context, message, content)
    context.events.message_changed(message, previous)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.text,
        "message": context.state.api_message(message),
    }


@method("chat.delete", scope="chat:write", arguments="channel ts")
def delete(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    message = context.need_own_message(channel, args.need("ts"), "cant_delete_message")
    context.state.remove(message)
    context.events.message_deleted(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.getPermalink", arguments="channel message_ts")
def get_permalink(context: Context, args: Args) -> Json:
    channel: Channel = context.need_channel(args.need("channel"))
    message = context.state.find(channel.id, args.need("message_ts"))
    if message is None or message.ephemeral_for:
        raise ApiError("message_not_found")
    link = f"{context.state.origin}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}
