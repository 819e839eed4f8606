"""The approval card: everything a person needs in order to say yes, from the stored plan only.

Its first line says in which state the approval is; buttons are there only while it can be decided. It can be rendered
again at any time: what it shows is the stored row and nothing else.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from agents.permission import who_may_approve
from agents.remediation import Healing, Plan
from agents.tool import Risk
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Json, Message, actions, button, context, fields, preformatted, sections
from store.incidents.approvals import Approval, ApprovalState

SHOWN_HASH: Final = 12
_SLACK_ID: Final = re.compile(r"[UW][A-Z0-9]{2,20}")
MOST_PRECONDITIONS: Final = 10
_AFTER: Final = frozenset(
    {
        ApprovalState.APPLYING,
        ApprovalState.APPLIED,
        ApprovalState.VERIFYING,
        ApprovalState.HEALED,
        ApprovalState.NOT_HEALED,
        ApprovalState.UNKNOWN,
        ApprovalState.FAILED,
    }
)


@dataclass(frozen=True, kw_only=True)
class Card:
    """`people` are Slack ids by user id; the plan names its requester by Slack id.

    `links` are addresses of artifacts by number, given by their connectors.
    """

    approval: Approval
    plan: Plan
    people: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def card(view: Card) -> Message:
    """The whole preview while a decision is open; what was decided, and about what, afterwards."""
    waiting = view.approval.state is ApprovalState.PROPOSED
    shown = f"Approve? {view.plan.title}. {view.plan.risk.value.capitalize()} risk." if waiting else _plain_state(view)
    return Message(text=t.push(shown), blocks=tuple(_open(view) if waiting else _decided(view)))


def button_value(approval: Approval) -> str:
    """Binds a click to the plan that was on the card: `<approval id>:<first twelve digits of the plan hash>`."""
    return f"{approval.id}:{approval.plan_hash[:SHOWN_HASH]}"


def healing_rule(healing: Healing | None) -> str:
    """`checkout errors below 1% for 3 min, within 10 min; above 12% it made things worse. Now 9%.`"""
    if healing is None:
        return "No indicator was measured: the target's own state decides"
    limit, worst, now = (t.measure(v, healing.unit) for v in (healing.threshold, healing.worse_than, healing.before))
    return (
        f"{t.prose(healing.service, 60)} {t.indicator(healing.indicator)} below {limit} "
        f"for {t.duration(healing.hold_s)}, within {t.duration(healing.window_s)}; "
        f"above {worst} it made things worse. Before: {now}"
    )


def state_line(view: Card) -> str:
    """What became of it, in mrkdwn: `Approved by @mia 02:49:10, applied once 02:49:14, checking until 02:54`."""
    approval = view.approval
    match approval.state:
        case ApprovalState.PROPOSED:
            return _proposed(approval)
        case ApprovalState.REJECTED:
            return (
                f"Rejected by {_person(view, approval.decided_by)} {t.clock(approval.decided_at)}. Nothing was applied"
            )
        case ApprovalState.EXPIRED:
            open_for = t.duration(approval.expires_at - approval.proposed_at)
            return f"Nobody answered within {open_for}. Nothing was applied"
        case ApprovalState.SUPERSEDED | ApprovalState.CANCELLED:
            newer = approval.state is ApprovalState.SUPERSEDED
            return f"{'Replaced by a newer proposal' if newer else 'Withdrawn'}. Nothing was applied"
        case ApprovalState.APPROVED:
            return f"{_approved(view)}, not applied yet, valid until {t.clock(approval.approved_until)}"
        case _:
            return f"{_approved(view)}, {_applied(view)}"


def _proposed(approval: Approval) -> str:
    if approval.preview_read_at > approval.proposed_at:
        shown = t.clock(approval.preview_read_at)
        return f"The target was read again {shown}: this is a new plan, nothing was applied. Please decide on it"
    return ""


def _approved(view: Card) -> str:
    alone = " with break-glass" if view.approval.decision == "break_glass" else ""
    return f"Approved by {_person(view, view.approval.decided_by)} {t.clock(view.approval.decided_at)}{alone}"


def _applied(view: Card) -> str:
    approval = view.approval
    once = f"applied once {t.clock(approval.applied_at)}"
    done = t.minute(approval.finished_at)
    match approval.state:
        case ApprovalState.APPLYING:
            return "applying now"
        case ApprovalState.HEALED | ApprovalState.NOT_HEALED:
            return f"{once}, *{approval.state.value.replace('_', ' ')}* {done}"
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


def _open(view: Card) -> list[Json]:
    again = state_line(view)
    lead = f"*{t.prose(view.plan.title, 200)}*"
    return [
        *sections(f"{lead}\n{again}." if again else lead),
        *sections(_why(view)),
        *fields(_facts(view.plan)),
        *sections(_blast_radius(view.plan)),
        *sections(_preconditions(view.plan)),
        *sections(f"*Healed when* {healing_rule(view.plan.healing)}."),
        *sections("*Exactly this will be sent*"),
        *preformatted(shlex.join(view.plan.argv) or view.plan.action),
        *context(_asked(view), _freshness(view)),
        *_decide_buttons(view),
    ]


def _decided(view: Card) -> list[Json]:
    plan = view.plan
    told = f"{t.prose(plan.target, 80)} ({t.prose(plan.environment, 40)}), {_versions(plan)}, {plan.risk.value} risk"
    blocks = [*sections(f"*{t.prose(plan.title, 200)}*\n{state_line(view)}."), *context(told)]
    if view.approval.state in _AFTER or view.approval.state is ApprovalState.APPROVED:
        blocks += preformatted(shlex.join(plan.argv) or plan.action)
    return [
        *blocks,
        *context(f"Undo: {t.prose(plan.undo, 300)}. Plan {view.approval.plan_hash[:SHOWN_HASH]}. Times are UTC."),
    ]


def _why(view: Card) -> str:
    shown = [t.link(view.links.get(number), number) for number in view.plan.evidence[:8]]
    more = f" and {len(view.plan.evidence) - 8} more" if len(view.plan.evidence) > 8 else ""
    evidence = f"{', '.join(shown)}{more}" if shown else "none cited"
    return f"*Cause* {t.prose(view.plan.cause, 400)}\n*Confidence* {view.plan.confidence}. *Evidence* {evidence}"


def _facts(plan: Plan) -> list[tuple[str, str]]:
    parameters = [f"{name}={t.version(str(value))}" for name, value in plan.parameters.items()]
    given = f" ({t.listing(parameters, most=6, limit=60)})" if parameters else ""
    return [
        ("Action", f"{t.prose(plan.action, 80)}{given}"),
        ("Target", f"{t.prose(plan.target, 80)}, {t.prose(plan.environment, 40)}"),
        ("Version", _versions(plan)),
        ("Risk", f"{plan.risk.value}{'' if plan.reversible else ', cannot be undone'}"),
        ("Undo", _undo(plan)),
    ]


def _versions(plan: Plan) -> str:
    to_version = t.prose(t.version(plan.to_version or plan.from_version), 60)
    arrow = (
        f"{t.prose(t.version(plan.from_version), 60)} -&gt; {to_version}" if plan.to_version else f"stays {to_version}"
    )
    linked = t.link(plan.diff_link, "diff")
    diff = f" ({linked})" if plan.diff_link and linked != "diff" else ""
    return f"{arrow}{diff}"


def _undo(plan: Plan) -> str:
    until = f", until {t.day_minute(plan.undo_until)}" if plan.undo_until else ""
    return f"{t.prose(plan.undo, 300)}{until}"


def _blast_radius(plan: Plan) -> str:
    lost = t.listing(plan.commits_lost, most=6) if plan.commits_lost else "none"
    migrations = f"*{t.listing(plan.migrations, most=6)}*" if plan.migrations else "none"
    paths = f"\n• files in the diff: {t.listing(plan.diff_paths, most=6)}" if plan.diff_paths else ""
    return (
        f"*Blast radius*\n• {t.plural(plan.instances, 'instance')}, interruption: {t.prose(plan.interruption, 200)}"
        f"\n• other commits lost: {lost}\n• migrations in between: {migrations}{paths}"
    )


def _preconditions(plan: Plan) -> str:
    if not plan.preconditions:
        return "*Preconditions* none"
    told = [
        f"• {'holds' if each.holds else '*does not hold*'}: {t.prose(each.text, 200)} (read {t.clock(each.read_at)})"
        for each in plan.preconditions[:MOST_PRECONDITIONS]
    ]
    left = plan.preconditions[MOST_PRECONDITIONS:]
    if left:
        broken = sum(not each.holds for each in left)
        told.append(f"• {len(left)} more, {f'*{broken} of them do not hold*' if broken else 'all hold'}")
    return "\n".join(["*Preconditions*", *told])


def _asked(view: Card) -> str:
    alone = "; the requester too, with break-glass" if _may_be_broken(view.plan) else ""
    return f"Asked by {_person(view, view.plan.requested_by)}. May approve: {who_may_approve(view.plan.risk)}{alone}."


def _may_be_broken(plan: Plan) -> bool:
    return plan.risk is Risk.HIGH and plan.reversible


def _freshness(view: Card) -> str:
    read, until = t.clock(view.plan.read_at), t.clock(view.plan.fresh_until)
    open_until = t.day_minute(view.approval.expires_at)
    shown_hash = view.approval.plan_hash[:SHOWN_HASH]
    return f"Read {read}, fresh until {until}. Open until {open_until}. Plan {shown_hash}. Times are UTC."


def _person(view: Card, user_id: str | None) -> str:
    if user_id is None:
        return "somebody"
    slack_id = view.people.get(user_id, user_id)
    return t.mention(slack_id) if _SLACK_ID.fullmatch(slack_id) else t.prose(user_id, 40)


def _decide_buttons(view: Card) -> list[Json]:
    value = button_value(view.approval)
    alone = [button("break_glass", "Break glass", value)] if _may_be_broken(view.plan) else []
    return actions(
        button("approve", view.plan.button, value, style="primary"),
        *alone,
        button("change_scope", "Change scope", value),
        button("reject", "Reject", value, style="danger"),
    )
