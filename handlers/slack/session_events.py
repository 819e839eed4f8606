"""What people do to the agent session that Slack shows beside a thread: press its Stop button, give it a title.

https://docs.slack.dev/reference/events/agent_session_stopped
"""

from __future__ import annotations

from agents.incidents.requests import DoneNow, NothingToDo
from agents.permission import Denied, Person
from handlers.slack.context import HandlerContext, Reply
from handlers.slack.inbound.arrival import SessionRenamed, SessionStopped
from handlers.slack.investigation_lookup import run_of_thread
from store.ids import TenantId
from store.incidents import incident_for_thread

STOPPING = "Stopping. What was found so far stays here."
NOTHING_RUNS = "Nothing is being looked into in this thread any more. A fix that was approved is not interrupted."


async def stop_session(person: Person, stopped: SessionStopped, reply: Reply, context: HandlerContext) -> None:
    """Like the button of our own. Slack leaves the session as it is: whatever comes of it, it is shown as it stands."""
    run = await run_of_thread(person, context, channel_id=stopped.channel_id, thread_ts=stopped.thread_ts)
    answer = NothingToDo(reason="") if run is None else await context.incident_service.stop(person, run.id)
    match answer:
        case DoneNow():
            await reply.privately(STOPPING)
        case Denied(reason=reason):
            await reply.privately(reason)
        case NothingToDo():
            await reply.privately(NOTHING_RUNS)
    await keep_session(person.tenant_id, stopped, context)


async def keep_session(tenant: TenantId, stopped: SessionStopped, context: HandlerContext) -> None:
    """Shows the session as it stands in the store."""
    async with context.db.tenant(tenant, readonly=True) as s:
        found = await incident_for_thread(s, stopped.channel_id, stopped.thread_ts)
    if found is not None and context.sessions is not None:
        await context.sessions.show(tenant, found.id, anew=True)


async def rename_session(person: Person, renamed: SessionRenamed, context: HandlerContext) -> None:
    """The incident is called what its thread is called. Who may not investigate changes nothing but Slack's title."""
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        found = await incident_for_thread(s, renamed.channel_id, renamed.thread_ts)
        title = s.redactor.redact(" ".join(renamed.title.split()))
    if found is not None and title:
        await context.incident_service.rename(person, found.id, title)
