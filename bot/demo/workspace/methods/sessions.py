"""Agent sessions: what the app is doing in a thread, with a title, and a Stop button while it works.

https://docs.slack.dev/ai/agent-sessions
"""

from typing import get_args

from bot.demo.workspace.method import ApiError, Args, Context, method
from bot.demo.workspace.model import Channel, Json, SessionStatus

TITLE_LIMIT = 200
_MISSING_STOP = "missing_agent_session_stopped_event_subscription"
_LOOKS = ("icon_emoji", "icon_url", "username")


@method(
    "agents.sessions.setStatus",
    scope="chat:write",
    arguments="channel_id thread_ts status title initiator_user_id icon_emoji icon_url username",
)
def set_status(context: Context, args: Args) -> Json:
    need_agent(context)
    if any(args.string(name) for name in _LOOKS):
        context.need_scope("chat:write.customize")
    status = read_status(args, "status")
    channel, thread_ts = _need_place(context, args)
    title, initiator = args.string("title") or "", args.string("initiator_user_id")
    if len(title) > TITLE_LIMIT:
        raise ApiError("invalid_arguments", [f"[ERROR] title must be at most {TITLE_LIMIT} characters"])
    if initiator is not None and initiator not in channel.members:
        raise ApiError("user_not_in_channel")
    session = context.state.set_session(
        channel.id, thread_ts, status, title=title.replace(":", "_"), initiator=initiator
    )
    answer: Json = {"status": session.status, "agent_status": session.status, "title": session.title}
    if "agent_session_stopped" not in context.state.app.events:
        answer["response_metadata"] = {"warnings": [_MISSING_STOP]}
    return answer


@method("agents.sessions.rename", scope="chat:write", arguments="channel_id thread_ts title")
def rename(context: Context, args: Args) -> Json:
    need_agent(context)
    channel, thread_ts = _need_place(context, args)
    title = args.need("title").strip()
    if not 1 <= len(title) <= TITLE_LIMIT:
        raise ApiError("invalid_arguments", [f"[ERROR] title must have 1 to {TITLE_LIMIT} characters"])
    session = context.state.sessions.get((channel.id, thread_ts))
    if session is None:
        raise ApiError("session_not_found")
    session.title = title
    context.state.announce("session", {"session": session})
    return {"title": title}


def need_agent(context: Context) -> None:
    """Only apps that are declared agents have sessions."""
    if not context.state.app.is_agent:
        raise ApiError("not_authorized", ["[ERROR] the app is not declared an agent: features.agent_view"])


def read_status(args: Args, name: str) -> SessionStatus:
    given = args.need(name)
    for status in get_args(SessionStatus):
        if given == status:
            known: SessionStatus = status
            return known
    raise ApiError("invalid_arguments", [f"[ERROR] {name} must be one of {', '.join(get_args(SessionStatus))}"])


def _need_place(context: Context, args: Args) -> tuple[Channel, str]:
    """A thread of a channel or direct message: this workspace has no channels that are sessions themselves."""
    channel = context.need_channel(args.need("channel_id"))
    context.need_membership(channel)
    thread_ts = args.need("thread_ts")
    context.need_thread(channel, thread_ts)
    return channel, thread_ts
