"""`auth.test`, `apps.connections.open`."""

from bot.demo.workspace.method import ApiError, Args, Context, method
from bot.demo.workspace.model import Json
from bot.demo.workspace.seed import BOT_ID, BOT_USER_ID, TEAM_ID, TEAM_NAME


@method("auth.test")
def auth_test(context: Context, _args: Args) -> Json:
    return {
        "url": f"{context.state.origin}/",
        "team": TEAM_NAME,
        "user": context.state.app.bot_name,
        "team_id": TEAM_ID,
        "user_id": BOT_USER_ID,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


@method("apps.connections.open", needs_app_token=True)
def connections_open(context: Context, _args: Args) -> Json:
    if not context.state.app.socket_mode:
        raise ApiError("socket_mode_not_enabled", ["[ERROR] settings.socket_mode_enabled is off in the manifest"])
    return {"url": context.events.socket_url()}
