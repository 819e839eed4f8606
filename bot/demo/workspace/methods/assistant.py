"""The status line and suggested prompts of an agent. https://docs.slack.dev/ai/agents"""

from bot.demo.workspace.method import ApiError, Args, Context, method
from bot.demo.workspace.model import Json


@method(
    "assistant.threads.setStatus",
    scope="assistant:write",
    arguments="channel_id thread_ts status loading_messages icon_emoji icon_url username",
)
def set_status(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel_id"))
    context.need_membership(channel)
    thread_ts = args.need("thread_ts")
    context.need_thread(channel, thread_ts)
    status = args.string("status")
    if status is None:
        raise ApiError("invalid_arguments", ["[ERROR] missing required field: status"])
    loading = args.parsed("loading_messages") or []
    if not isinstance(loading, list) or len(loading) > 10:
        raise ApiError("invalid_arguments", ["[ERROR] no more than 10 loading_messages allowed"])
    context.state.set_status(channel.id, thread_ts, status)
    return {}


@method("assistant.threads.setTitle", scope="assistant:write", arguments="channel_id thread_ts title")
def set_title(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel_id"))
    context.need_thread(channel, args.need("thread_ts"))
    args.need("title")
    return {}


@method(
    "assistant.threads.setSuggestedPrompts",
    scope="assistant:write",
    arguments="channel_id thread_ts title prompts",
)
def set_suggested_prompts(context: Context, args: Args) -> Json:
    channel = context.need_channel(args.need("channel_id"))
    if not channel.is_im:
        raise ApiError("channel_type_not_supported")
    prompts = args.parsed("prompts")
    if not isinstance(prompts, list) or not 1 <= len(prompts) <= 4:
        raise ApiError("invalid_arguments", ["[ERROR] prompts must have 1 to 4 items"])
    for prompt in prompts:
        if not isinstance(prompt, dict) or not prompt.get("title") or not prompt.get("message"):
            raise ApiError("invalid_arguments", ["[ERROR] each prompt has a title and a message"])
    context.state.prompts[channel.id] = prompts
    context.state.announce("prompts", {"channel": channel.id, "prompts": prompts})
    return {}
