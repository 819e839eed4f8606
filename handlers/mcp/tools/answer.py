"""`answer`: a question about an incident, answered with proofs in its thread; a run that goes on is steered by it."""

from __future__ import annotations

from pydantic import Field

from agents.incidents.requests import Ask, Investigating
from agents.permission import Denied, Permission, Person, check
from agents.tool import Arguments
from handlers.mcp.asking import LONGEST_WAIT_S, concluded, look_into, redacted, say_question, steered
from handlers.mcp.tool import McpAnswer, McpContext, McpTool, RefusedCall, found_incident
from store.incidents import investigations


class AnswerArguments(Arguments):
    incident: str = Field(min_length=1, max_length=60, description="Number of an open incident (12), or an id.")
    question: str = Field(min_length=3, max_length=4_000, description="For example: which deployment touched the cart?")
    wait_s: int = Field(default=30, ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the answer.")
    request: str = Field(default="", max_length=60, description="Your own id: the same one asks nothing twice.")


async def answer(person: Person, wanted: AnswerArguments, context: McpContext) -> McpAnswer:
    if isinstance(denied := check(person.role, Permission.INVESTIGATE), Denied):
        raise RefusedCall(denied.reason)
    about = await found_incident(person, wanted.incident, context)
    question = await redacted(person, wanted.question, context)
    ts = await say_question(
        person,
        question,
        context,
        channel=about.channel_id,
        thread_ts=about.thread_ts or None,
        request=wanted.request,
    )
    ask = Ask(question=question, channel_id=about.channel_id, thread_ts=about.thread_ts, source_ts=ts)
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        run = await investigations.latest_investigation(s, about.id)
    goes_on = run is not None and run.status in ("queued", "running")
    if run is not None and goes_on and await steered(person, run.id, ask, context):
        under_way = Investigating(
            investigation_id=run.id,
            incident_id=about.id,
            joined=True,
            channel_id=about.channel_id,
            thread_ts=about.thread_ts,
            number=about.number,
        )
        return await concluded(person, under_way, context, wait_s=wanted.wait_s)
    return await look_into(person, ask, context, wait_s=wanted.wait_s)


TOOL = McpTool(
    name="answer",
    description=(
        "Ask a question about an incident. It is answered from the team's systems with proofs, knowing what was found "
        "and done before. While an investigation runs, the question is taken into it."
    ),
    arguments=AnswerArguments,
    permission=Permission.INVESTIGATE,
    run=answer,
    changes=True,
    an_hour=40,
)
