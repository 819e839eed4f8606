"""Emoji reactions. https://docs.slack.dev/reference/methods?family=reactions"""

import re

from bot.demo.workspace.method import ApiError, Args, Context, method
from bot.demo.workspace.model import Json, StoredMessage
from bot.demo.workspace.seed import BOT_USER_ID

_NAME = re.compile(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?")


def _target(context: Context, args: Args) -> tuple[StoredMessage, str]:
    channel = context.need_channel(args.need("channel"))
    context.need_membership(channel)
    message = context.state.find(channel.id, args.need("timestamp"))
    if message is None or message.ephemeral_for:
        raise ApiError("message_not_found")
    name = args.need("name")
    if not _NAME.fullmatch(name):
        raise ApiError("invalid_name")
    return message, name


@method("reactions.add", scope="reactions:write", arguments="channel timestamp name")
def add(context: Context, args: Args) -> Json:
    message, name = _target(context, args)
    users = message.reactions.setdefault(name, [])
    if BOT_USER_ID in users:
        raise ApiError("already_reacted")
    users.append(BOT_USER_ID)
    context.state.changed(message)
    return {}


@method("reactions.remove", scope="reactions:write", arguments="channel timestamp name")
def remove(context: Context, args: Args) -> Json:
    message, name = _target(context, args)
    if BOT_USER_ID not in message.reactions.get(name, []):
        raise ApiError("no_reaction")
    message.reactions[name].remove(BOT_USER_ID)
    if not message.reactions[name]:
        del message.reactions[name]
    context.state.changed(message)
    return {}
