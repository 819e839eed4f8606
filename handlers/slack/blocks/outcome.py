"""The last message of the normal path: whether it healed, said plainly, also when nobody knows."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.remediation import Healing, Plan
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Json, Message, actions, button, context, sections
from store.incidents.approvals import Approval, ApprovalState


class Outcome(BaseModel):
    """What `approvals.outcome` holds, as far as it is shown. Every part may be missing.

    `last` is the indicator when it was last measured, in the unit of the healing rule; `detail` is what carrying it out
    answered, or what was read after it was interrupted, redacted.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    last: float | None = None
    detail: str | None = None


def outcome(approval: Approval, plan: Plan) -> Message | None:
    """None while there is nothing to tell."""
    known = _parse(approval.outcome)
    at = t.minute(approval.finished_at)
    applied = approval.applied_at is not None
    match approval.state:
        case ApprovalState.HEALED:
            return _message(approval, _healed(known, approval, plan.healing, at), undo=plan.reversible, report=True)
        case ApprovalState.NOT_HEALED:
            return _message(approval, _not_healed(known, plan), undo=plan.reversible, keep=True)
        case ApprovalState.UNKNOWN:
            return _message(approval, _unknown(known, approval, plan), undo=applied and plan.reversible)
        case ApprovalState.FAILED:
            return _message(approval, _failed(known, plan))
        case _:
            return None


def _parse(stored: dict[str, Any] | None) -> Outcome:
    return Outcome.model_validate(stored or {})


def _healed(known: Outcome, approval: Approval, healing: Healing | None, at: str) -> list[str]:
    lead = f"{'Undone' if approval.undo_of else 'Healed'} {at}".strip()
    if healing is None or known.last is None:
        return [f"*{lead}*: the target is in the state that was asked for"]
    value, limit = t.measure(known.last, healing.unit), t.measure(healing.threshold, healing.unit)
    return [f"*{lead}*: {value} {t.indicator(healing.indicator)} for {t.duration(healing.hold_s)} (limit {limit})"]


def _not_healed(known: Outcome, plan: Plan) -> list[str]:
    verdict = f"The {t.prose(plan.remediation.partition('_')[0], 40)} was not the fix"
    if plan.healing is None or known.last is None:
        return ["*Not healed*", verdict]
    return [f"*Not healed*: {t.change(plan.healing.before, known.last, plan.healing.unit)}", verdict]


def _unknown(known: Outcome, approval: Approval, plan: Plan) -> list[str]:
    title = t.prose(plan.title, 120)
    if approval.applied_at is not None:
        at = t.clock(approval.applied_at)
        return [f"*Unknown*: {title} was applied once {at}, but whether it healed could not be measured"]
    detail = t.prose(known.detail, 400) if known.detail else "the process died while applying; I will not retry"
    return [f"*Unknown*: {detail}"]


def _failed(known: Outcome, plan: Plan) -> list[str]:
    detail = t.prose(known.detail, 400) if known.detail else ""
    return [f"*Failed*: {t.prose(plan.title, 120)} did not go through", detail, "It will not be tried again"]


def _message(
    approval: Approval, parts: list[str], *, undo: bool = False, keep: bool = False, report: bool = False
) -> Message:
    body = t.sentence(parts)
    buttons: list[Json] = []
    if undo and approval.undo_of is None:
        buttons.append(button("undo", "Undo", approval.id))
    if keep:
        buttons.append(button("keep", "Keep", approval.id))
    if report and approval.undo_of is None:
        buttons.append(button("draft_report", "Draft report", approval.id))
    return Message(
        text=t.push(t.unescape(body)), blocks=(*sections(body), *context("Times are UTC."), *actions(*buttons))
    )
