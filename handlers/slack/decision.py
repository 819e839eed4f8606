"""A click on an approval card, which both of its buttons share.

The value is `<approval id>:<first digits of the plan hash>`. Nothing of it is believed: the id is looked up in the
person's tenant, the digits only say which plan the person saw. What counts is decided in
`agents/incidents/deciding.py`.
"""

from __future__ import annotations

from agents.incidents.requests import AlreadyDecided, DoneNow, PlanChanged
from agents.permission import Denied, Person
from handlers.slack.blocks import text as t
from handlers.slack.button import Click, read_value
from handlers.slack.context import HandlerContext, Reply
from store import audit
from store.ids import ApprovalId
from store.incidents import approvals, incident
from store.incidents.approvals import Approval, Decision

UNKNOWN = "I do not know this proposal any more."
CHANGED = (
    "The plan on this card is out of date, so nothing was applied. The card shows the new one: please decide on that."
)


async def read_approval(person: Person, value: str, context: HandlerContext, *, here: str | None) -> Approval | None:
    """None for what is not an approval of the person's tenant, and for what this person may not see. `here` is the
    channel of the click; None where Slack did not say it.
    """
    parts = read_value(value)
    if parts is None:
        return None
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        found = await approvals.approval(s, ApprovalId(parts[0]))
        about = await incident(s, found.incident_id) if found else None
    if found is None or not await context.visibility.sees(person, about, here=here):
        await note_probe(person, "approval", context)
        return None
    return found


async def note_probe(person: Person, what: str, context: HandlerContext) -> None:
    """An id that this organisation does not have: an old link, or somebody who tries out those of others."""
    async with context.db.tenant(person.tenant_id) as s:
        actor = audit.Actor(type="user", id=person.user_id)
        details = {"reason": "unknown_id"}
        await audit.record(s, actor=actor, action="slack.access.refused", target=what, details=details)


async def decide(click: Click, context: HandlerContext, decision: Decision) -> None:
    """The card itself answers a decision that counted; everybody else is told privately."""
    found = await read_approval(click.person, click.value, context, here=click.reply.channel_id)
    if found is None:
        await click.reply.privately(UNKNOWN)
        return
    digits = click.value.partition(":")[2]
    answer = await context.incident_service.decide(click.person, found.id, plan_hash=digits, decision=decision)
    await answer_decision(click.person, click.reply, answer, context)


async def answer_decision(
    person: Person, reply: Reply, answer: DoneNow | AlreadyDecided | PlanChanged | Denied, context: HandlerContext
) -> None:
    match answer:
        case DoneNow():
            return
        case AlreadyDecided(sentence=sentence):
            await reply.privately(sentence)
        case PlanChanged():
            await reply.privately(CHANGED)
        case Denied(reason=reason):
            await reply.privately(await in_words(person, reason, context))


async def in_words(person: Person, reason: str, context: HandlerContext) -> str:
    """A reason of the service, for mrkdwn: it may quote what a program printed, or the name of somebody's file."""
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        return t.prose(s.redactor.redact(reason))
