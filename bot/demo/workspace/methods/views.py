"""Modals and the Home tab. https://docs.slack.dev/reference/methods?family=views"""

import secrets
from typing import Any

from bot.demo.workspace.method import ApiError, Args, Context, method, with_ids
from bot.demo.workspace.model import Json, StoredView
from bot.demo.workspace.state import WorkspaceState
from bot.demo.workspace.validation import check_view


def store_view(state: WorkspaceState, user: str, view: Json, *, replacing: StoredView | None = None) -> StoredView:
    """Keep a checked view under a new id, or in the place of another one. Blocks without an id are given one."""
    stored = StoredView(
        id=replacing.id if replacing else f"V{secrets.token_hex(5).upper()}",
        user=user,
        hash=f"{state.new_ts()}.{secrets.token_hex(4)}",
        view={**view, "blocks": with_ids(view["blocks"])},
        values=replacing.values if replacing else {},
    )
    if stored.is_home:
        state.homes[user] = stored
    else:
        state.views[stored.id] = stored
    state.announce("view", {"view": stored})
    return stored


def _checked(args: Args, kind: str) -> Json:
    view: Any = args.parsed("view")
    if problems := check_view(view, kind):
        raise ApiError("invalid_arguments", problems)
    return dict(view)


@method("views.open", arguments="trigger_id interactivity_pointer view")
def open_view(context: Context, args: Args) -> Json:
    trigger = context.state.triggers.get(args.need("trigger_id"))
    if trigger is None:
        raise ApiError("invalid_trigger_id")
    if trigger.used:
        raise ApiError("exchanged_trigger_id")
    if context.state.clock.time() > trigger.expires_at:
        raise ApiError("expired_trigger_id")
    view = _checked(args, "modal")
    trigger.used = True
    return {"view": context.state.api_view(store_view(context.state, trigger.user, view))}


@method("views.update", arguments="view_id external_id hash view")
def update(context: Context, args: Args) -> Json:
    wanted, external = args.string("view_id"), args.string("external_id")
    known = [*context.state.views.values(), *context.state.homes.values()]
    stored = next(
        (one for one in known if one.id == wanted or (external and one.view.get("external_id") == external)), None
    )
    if stored is None:
        raise ApiError("not_found")
    if args.string("hash") not in (None, stored.hash):
        raise ApiError("hash_conflict")
    view = _checked(args, stored.view["type"])
    return {"view": context.state.api_view(store_view(context.state, stored.user, view, replacing=stored))}


@method("views.publish", arguments="user_id view hash")
def publish(context: Context, args: Args) -> Json:
    if not context.state.app.home_tab:
        raise ApiError("not_enabled", ["[ERROR] features.app_home.home_tab_enabled is off in the manifest"])
    user_id = args.need("user_id")
    if user_id not in context.state.users:
        raise ApiError("user_not_found")
    before = context.state.homes.get(user_id)
    if args.string("hash") not in (None, before.hash if before else None):
        raise ApiError("hash_conflict")
    view = _checked(args, "home")
    return {"view": context.state.api_view(store_view(context.state, user_id, view, replacing=before))}
