"""Channels, their members and history. https://docs.slack.dev/reference/methods?family=conversations"""

from bot.demo.workspace.method import ApiError, Args, Context, method
from bot.demo.workspace.model import Channel, Json, StoredMessage
from bot.demo.workspace.seed import BOT_USER_ID, TEAM_ID


def _shape(channel: Channel) -> Json:
    return channel.to_api(team_id=TEAM_ID, bot_user_id=BOT_USER_ID)


def _kind(channel: Channel) -> str:
    return "im" if channel.is_im else "groups" if channel.is_private else "channels"


def _need_readable(context: Context, channel: Channel, what: str) -> None:
    """`what` is `read` or `history`; the scope depends on the kind of conversation."""
    context.need_scope(f"{_kind(channel)}:{what}")


def _page(args: Args, items: list[Json], *, default: int) -> tuple[list[Json], Json]:
    limit = args.count("limit", default=default, limit=1000)
    cursor = args.string("cursor") or "0"
    if not cursor.isdigit():
        raise ApiError("invalid_cursor")
    start, end = int(cursor), int(cursor) + limit
    more = end < len(items)
    return items[start:end], {"response_metadata": {"next_cursor": str(end) if more else ""}, "has_more": more}


@method("conversations.info", arguments="channel include_locale include_num_members")
def info(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    _need_readable(context, channel, "read")
    return {"channel": _shape(channel)}


@method("conversations.list", arguments="types exclude_archived limit cursor team_id")
def list_conversations(context: Context, args: Args) -> Json:
    types = (args.string("types") or "public_channel").split(",")
    kinds = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}
    found: list[Channel] = []
    for name in types:
        if name not in kinds:
            raise ApiError("invalid_types")
        context.need_scope(f"{kinds[name]}:read")
        found += [channel for channel in context.state.channels.values() if _kind(channel) == kinds[name]]
    found = [channel for channel in found if _kind(channel) == "channels" or BOT_USER_ID in channel.members]
    page, rest = _page(args, [_shape(channel) for channel in found], default=100)
    return {"channels": page, "response_metadata": rest["response_metadata"]}


@method("conversations.members", arguments="channel limit cursor")
def members(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    _need_readable(context, channel, "read")
    page, rest = _page(args, [{"id": user} for user in sorted(channel.members)], default=100)
    return {"members": [user["id"] for user in page], "response_metadata": rest["response_metadata"]}


def _between(args: Args, messages: list[StoredMessage]) -> list[StoredMessage]:
    oldest, latest = float(args.string("oldest") or 0), float(args.string("latest") or "inf")
    inclusive = args.flag("inclusive")
    return [
        message
        for message in messages
        if oldest < float(message.ts) < latest or (inclusive and float(message.ts) in (oldest, latest))
    ]


@method(
    "conversations.history",
    arguments="channel cursor inclusive latest oldest limit include_all_metadata",
)
def history(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    _need_readable(context, channel, "history")
    context.need_membership(channel)
    top = [
        message
        for message in context.state.messages(channel.id)
        if not message.ephemeral_for and (message.thread_ts in (None, message.ts) or message.broadcast)
    ]
    shapes = [context.state.api_message(message) for message in reversed(_between(args, top))]
    page, rest = _page(args, shapes, default=100)
    return {"messages": page, "pin_count": 0, **rest}


@method(
    "conversations.replies",
    arguments="channel ts cursor inclusive latest oldest limit include_all_metadata",
)
def replies(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    _need_readable(context, channel, "history")
    context.need_membership(channel)
    message = context.state.find(channel.id, args.need("ts"))
    if message is None or message.ephemeral_for:
        raise ApiError("thread_not_found")
    parent = context.state.find(channel.id, message.thread_ts or message.ts)
    thread = context.state.replies(channel.id, message.thread_ts or message.ts)
    kept = _between(args, thread)
    shapes = [context.state.api_message(one) for one in ([parent] if parent else []) + kept]
    page, rest = _page(args, shapes, default=1000)
    return {"messages": page, **rest}


@method("conversations.open", scope="im:write", arguments="users channel return_im prevent_creation")
def open_conversation(context: Context, args: Args) -> Json:
    user_id = args.need("users")
    if "," in user_id:
        raise ApiError("method_not_supported_for_channel_type")
    for channel in context.state.channels.values():
        if channel.is_im and channel.user == user_id:
            whole = _shape(channel) if args.flag("return_im") else {"id": channel.id}
            return {"channel": whole, "no_op": True, "already_open": True}
    raise ApiError("cannot_dm_bot" if user_id in context.state.users else "user_not_found")


@method("conversations.join", scope="channels:join", arguments="channel")
def join(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel"))
    if channel.is_im:
        raise ApiError("method_not_supported_for_channel_type")
    if BOT_USER_ID in channel.members:
        return {"channel": _shape(channel), "warning": "already_in_channel"}
    context.events.member_joined(BOT_USER_ID, channel)
    return {"channel": _shape(channel)}
