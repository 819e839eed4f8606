"""People. https://docs.slack.dev/reference/methods?family=users"""

from bot.demo.workspace.method import ApiError, Args, Context, method
from bot.demo.workspace.model import Json
from bot.demo.workspace.seed import BOT_USER_ID, TEAM_ID


@method("users.info", scope="users:read", arguments="user include_locale")
def info(context: Context, args: Args) -> Json:
    user = context.state.users.get(args.need("user"))
    if user is None:
        raise ApiError("user_not_found")
    return {"user": user.to_api()}


@method("users.list", scope="users:read", arguments="limit cursor include_locale team_id presence")
def list_users(context: Context, args: Args) -> Json:
    args.count("limit", default=1000, limit=1000)
    own = [user.to_api() for user in context.state.users.values() if user.team_id == TEAM_ID]
    return {"members": own, "response_metadata": {"next_cursor": ""}}


@method("users.conversations", scope="channels:read", arguments="user types limit cursor exclude_archived")
def conversations(context: Context, args: Args) -> Json:
    user = args.string("user") or BOT_USER_ID
    found = [channel for channel in context.state.channels.values() if user in channel.members and not channel.is_im]
    return {
        "channels": [channel.to_api(team_id=TEAM_ID, bot_user_id=BOT_USER_ID) for channel in found],
        "response_metadata": {"next_cursor": ""},
    }
