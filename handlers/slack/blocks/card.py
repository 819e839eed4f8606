"""The approval card: what a person decides by, from the stored plan only, on one phone screen. The rest of the plan is
one click away (`exact_plan.py`).

Its first line says in which state the approval is; buttons are there only while it can be decided. It can be rendered
again at any time: what it shows is the stored row and nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from agents.permission import who_may_approve
from agents.remediation import Healing, Plan
from agents.tool import Risk
from handlers.slack.blocks import text as t
from handlers.slack.blocks.evidence import measured_thing
from handlers.slack.blocks.message import Json, Message, actions, button, context, sections
from store.incidents.approvals import Approval, ApprovalState

SHOWN_HASH: Final = 12
_SLACK_ID: Final = re.compile(r"[UW][A-Z0-9]{2,20}")


@dataclass(frozen=True, kw_only=True)
class Card:
    """`people` are Slack ids by user id; the plan names its requester by Slack id.

    `links` are addresses of artifacts by number, given by their connectors. `onset` is when the symptom began; `ended`
    says, in mrkdwn, how the incident ended.
    """

    approval: Approval
    plan: Plan
    people: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    onset: datetime | None = None
    ended: str = ""


def card(view: Card) -> Message:
    """The whole preview while a decision is open; what was decided, and about what, afterwards."""
    waiting = view.approval.state is ApprovalState.PROPOSED
    shown = f"Approve? {view.plan.title}. {view.plan.risk.value.capitalize()} risk." if waiting else _plain_state(view)
    return Message(text=t.push(shown), blocks=tuple(_open(view) if waiting else _decided(view)))


def button_value(approval: Approval) -> str:
    """Binds a click to the plan that was on the card: `<approval id>:<first twelve digits of the plan hash>`."""
    return f"{approval.id}:{approval.plan_hash[:SHOWN_HASH]}"


def healing_rule(healing: Healing | None) -> str:
    """`checkout errors below 1% for 3 min, within 10 min`"""
    if healing is None:
        return "the target is in the state that was asked for; no indicator was measured"
    thing = measured_thing(healing.service, healing.indicator, healing.unit)
    limit = t.measure(healing.threshold, healing.unit)
    return f"{thing} below {limit} for {t.duration(healing.hold_s)}, within {t.duration(healing.window_s)}"


def state_line(view: Card) -> str:
    """What became of it, in mrkdwn: `Approved by @mia 02:49:10, applied 02:49:14, checking until 02:54`."""
    approval = view.approval
    match approval.state:
        case ApprovalState.PROPOSED:
            return _proposed(approval)
        case ApprovalState.REJECTED:
            who = person(view.people, approval.decided_by)
            return f"Rejected by {who} {t.clock(approval.decided_at)}. Nothing was applied"
        case ApprovalState.EXPIRED:
            open_for = t.duration(approval.expires_at - approval.proposed_at)
            return f"Nobody answered within {open_for}. Nothing was applied"
        case ApprovalState.SUPERSEDED | ApprovalState.CANCELLED:
            newer = approval.state is ApprovalState.SUPERSEDED
            return f"{'Replaced by a newer proposal' if newer else 'Withdrawn'}. Nothing was applied"
        case ApprovalState.APPROVED:
            return f"{_approved(view)}. Checking the target again before it is applied"
        case _:
            return f"{_approved(view)}, {_applied(view)}"


def _proposed(approval: Approval) -> str:
    if approval.preview_read_at > approval.proposed_at:
        shown = t.clock(approval.preview_read_at)
        return f"The target was read again {shown}: this is a new plan, nothing was applied. Please decide on it"
    return ""


def _approved(view: Card) -> str:
    if view.approval.decision == "automatic":
        allowed = person(view.people, view.approval.decided_by)
        risk = view.approval.risk
        return f"Approved automatically {t.clock(view.approval.decided_at)} ({risk} risk, as allowed by {allowed})"
    alone = " with break-glass" if view.approval.decision == "break_glass" else ""
    return f"Approved by {person(view.people, view.approval.decided_by)} {t.clock(view.approval.decided_at)}{alone}"


def _applied(view: Card) -> str:
    approval = view.approval
    once = f"applied {t.clock(approval.applied_at)}"
    done = t.minute(approval.finished_at)
    match approval.state:
        case ApprovalState.APPLYING:
            return "applying now"
        case ApprovalState.HEALED | ApprovalState.NOT_HEALED | ApprovalState.DONE:
            stable = {ApprovalState.HEALED: "stable", ApprovalState.NOT_HEALED: "broken again"}
            said = approval.state.value.replace("_", " ")
            return f"{once}, *{stable.get(approval.state, said) if _takes_back(view) else said}* {done}"
        case ApprovalState.UNKNOWN if approval.applied_at is not None:
            return f"{once}, *unknown* whether it healed"
        case ApprovalState.UNKNOWN:
            return "*unknown* whether it was applied. It will not be tried again"
        case ApprovalState.FAILED:
            return f"*failed* {done}. It will not be tried again" if done else "*failed*. It will not be tried again"
        case _:
            return f"{once}, {_checking(view)}"


def _checking(view: Card) -> str:
    healing, applied_at = view.plan.healing, view.approval.applied_at
    if healing is None or applied_at is None or not 0 <= healing.window_s < 1e7:
        return "checking"
    return f"checking until {t.minute(applied_at + timedelta(seconds=healing.window_s))}"


def _plain_state(view: Card) -> str:
    return f"{view.plan.title}: {t.unescape(_without_people(state_line(view)))}"


def _without_people(words: str) -> str:
    """A phone's line names nobody: a mention there would be shown as its raw id."""
    return words if "<@" not in words else words.replace(words[words.index(" by <@") : words.index(">") + 1], "")


def _takes_back(view: Card) -> bool:
    return view.approval.undo_of is not None and was_well(view.plan.healing)


def was_well(healing: Healing | None) -> bool:
    """Whether the indicator was within its limit when the plan was made, so that the plan must not break it."""
    return healing is not None and healing.before <= healing.threshold


def _open(view: Card) -> list[Json]:
    again = state_line(view)
    lead = f"*{t.prose(view.plan.title, 200)}*"
    lines = [f"{lead}\n{again}." if again else lead, *_reasons(view)]
    return [
        *sections("\n".join(lines)),
        *_decide_buttons(view),
        *context(_asked(view)),
    ]


def _decided(view: Card) -> list[Json]:
    plan = view.plan
    told = f"{t.prose(plan.target, 80)} ({t.prose(plan.environment, 40)}), {versions(plan)}, {plan.risk.value} risk"
    return [
        *sections(f"*{t.prose(plan.title, 200)}*\n{state_line(view)}."),
        *context(f"{told}. Undo: {t.prose(plan.undo, 300)}."),
        *actions(exactly(view.approval)),
    ]


def exactly(approval: Approval) -> Json:
    """The button to the whole stored plan."""
    to_come = approval.state in (ApprovalState.PROPOSED, ApprovalState.APPROVED, ApprovalState.APPLYING)
    never_ran = "Exactly what will run" if to_come else "What was proposed"
    return button("exact_plan", "Exactly what ran" if approval.applied_at else never_ran, approval.id)


def _reasons(view: Card) -> list[str]:
    """Why, risk, undo, how healing is judged; and what speaks against it, where something does."""
    plan = view.plan
    sure = f" ({plan.confidence} confidence)" if plan.confidence != "none" else ""
    lost = f" *{t.plural(len(plan.commits_lost), 'other commit')} would be lost.*" if plan.commits_lost else ""
    migrations = f" *Migrations lie in between: {t.listing(plan.migrations, most=3)}.*" if plan.migrations else ""
    return [
        f"*Why* {t.prose(plan.cause, 300).rstrip('.')}{sure}.",
        f"*Risk* {plan.risk.value}: {t.prose(plan.interruption, 200).rstrip('.')}.{lost}{migrations}",
        f"*Undo* {undo_line(plan)}.",
        f"*Healed when* {healing_rule(plan.healing)}.",
        *(f"*Does not hold* {t.prose(each.text, 200).rstrip('.')}." for each in plan.preconditions if not each.holds),
    ]


def versions(plan: Plan) -> str:
    """The version that runs, an arrow, and the one to come, with the diff. Mrkdwn."""
    to_version = t.prose(t.version(plan.to_version or plan.from_version), 60)
    stays = plan.to_version in (None, plan.from_version)
    arrow = (
        f"stays {to_version}"
        if stays
        else f"{t.prose(t.version(plan.from_version), 60)} \N{RIGHTWARDS ARROW} {to_version}"
    )
    linked = t.link(plan.diff_link, "diff")
    diff = f" ({linked})" if plan.diff_link and linked != "diff" else ""
    return f"{arrow}{diff}"


def undo_line(plan: Plan) -> str:
    until = f", possible until {t.day_minute(plan.undo_until)}" if plan.undo_until else ""
    return f"{t.prose(plan.undo, 300)}{until}"


def _asked(view: Card) -> str:
    alone = "; the requester too, with break-glass" if _may_be_broken(view.plan) else ""
    until = t.day_minute(view.approval.expires_at)
    asked = person(view.people, view.plan.requested_by)
    return f"Asked by {asked}. May approve: {who_may_approve(view.plan.risk)}{alone}. Open until {until}."


def _may_be_broken(plan: Plan) -> bool:
    return plan.risk is Risk.HIGH and plan.reversible


def person(people: Mapping[str, str], user_id: str | None) -> str:
    """A mention, where the Slack id is known."""
    if user_id is None:
        return "somebody"
    slack_id = people.get(user_id, user_id)
    return t.mention(slack_id) if _SLACK_ID.fullmatch(slack_id) else t.prose(user_id, 40)


def _decide_buttons(view: Card) -> list[Json]:
    value = button_value(view.approval)
    alone = [button("break_glass", "Break glass", value)] if _may_be_broken(view.plan) else []
    return actions(
        button("approve", view.plan.button, value, style="primary"),
        *alone,
        button("change_scope", "Change scope", value),
        button("reject", "Reject", value, style="danger"),
        exactly(view.approval),
    )
