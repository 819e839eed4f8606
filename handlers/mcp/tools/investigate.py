"""`investigate`: finds out what broke, in a thread of a channel that the person may see."""

from __future__ import annotations

from pydantic import Field

from agents.alerting.rules import read_policy
from agents.incidents.requests import Ask
from agents.permission import Permission, Person
from agents.tool import Arguments
from handlers.mcp.asking import LONGEST_WAIT_S, look_into, redacted, say_question
from handlers.mcp.tool import VISIBILITY_UNKNOWN, McpAnswer, McpContext, McpTool, RefusedCall
from store.incidents import alerts


class InvestigateArguments(Arguments):
    question: str = Field(
        min_length=3, max_length=4_000, description="What is wrong, in words: service, symptom, since when."
    )
    channel: str = Field(
        default="",
        pattern=r"^([CG][A-Z0-9]{2,20})?$",
        description="Id of the Slack channel to do it in (C...). Left out: the channel where alerts are told.",
    )
    wait_s: int = Field(default=30, ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the conclusion.")
    request: str = Field(default="", max_length=60, description="Your own id: the same one starts nothing twice.")


async def investigate(person: Person, wanted: InvestigateArguments, context: McpContext) -> McpAnswer:
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        channel = wanted.channel or read_policy(await alerts.policy(s)).channel
    if not channel:
        raise RefusedCall("Name a Slack channel: this workspace has chosen none for alerts.")
    sight = await context.sees.among(person, [channel])
    if not sight.covers(channel):
        raise RefusedCall(VISIBILITY_UNKNOWN if sight.asked_in_vain else "There is no channel of that id for you.")
    question = await redacted(person, wanted.question, context)
    ts = await say_question(person, question, context, channel=channel, thread_ts=None, request=wanted.request)
    ask = Ask(question=question, channel_id=channel, thread_ts=ts, source_ts=ts)
    return await look_into(person, ask, context, wait_s=wanted.wait_s)


TOOL = McpTool(
    name="investigate",
    description=(
        "Find out why production broke: reads the team's metrics, logs, traces, deployments and alerts, and answers "
        "with a cause, its proofs and what is not known. It is done in a Slack thread that the team sees."
    ),
    arguments=InvestigateArguments,
    permission=Permission.INVESTIGATE,
    run=investigate,
    changes=True,
    an_hour=20,
)
