"""The last message of the normal path: whether it healed, said plainly, also when nobody knows."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.remediation import Healing, Plan
from handlers.blocks import text as t
from handlers.blocks.message import Json, Message, actions, button, context, sections
from store.approvals import Approval, ApprovalState


class Outcome(BaseModel):
    """What `approvals.outcome` holds, as far as it is shown. Every part may be missing.

    `value` is the indicator at the end, in the healing rule's unit; `held_s` how long it stayed under the limit; `reads`
    what the target reads now (a version or state); `detail` one redacted sentence; `reference` finds a failure in the log.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    value: float | None = None
    held_s: float | None = None
    reads: str | None = None
    detail: str | None = None
    reference: str | None = None


def outcome(approval: Approval, plan: Plan) -> Message | None:
    """None while there is nothing to tell."""
    known = _parse(approval.outcome)
    at = t.minute(approval.finished_at)
    match approval.state:
        case ApprovalState.HEALED:
            return _message(approval, _healed(known, plan.healing, at), undo=plan.reversible)
        case ApprovalState.NOT_HEALED:
            return _message(approval, _not_healed(known, plan), undo=plan.reversible, keep=True)
        case ApprovalState.UNKNOWN:
            return _message(approval, _unknown(known, plan))
        case ApprovalState.FAILED:
            return _message(approval, _failed(known, plan))
        case _:
            return None


def _parse(stored: dict[str, Any] | None) -> Outcome:
    return Outcome.model_validate(stored or {})


def _healed(known: Outcome, healing: Healing | None, at: str) -> list[str]:
    lead = f"Healed {at}".strip()
    if healing is None or known.value is None:
        return [f"*{lead}*: the target is in the state that was asked for", _detail(known)]
    held = t.duration(known.held_s if known.held_s is not None else healing.hold_s)
    value, limit = t.measure(known.value, healing.unit), t.measure(healing.threshold, healing.unit)
    return [f"*{lead}*: {value} {t.indicator(healing.indicator)} for {held} (limit {limit})", _detail(known)]


def _not_healed(known: Outcome, plan: Plan) -> list[str]:
    what = plan.remediation.partition("_")[0]
    verdict = f"The {t.prose(what, 40)} was not the fix"
    if plan.healing is None or known.value is None:
        return ["*Not healed*", verdict, _detail(known)]
    return [f"*Not healed*: {t.change(plan.healing.before, known.value, plan.healing.unit)}", verdict, _detail(known)]


def _unknown(known: Outcome, plan: Plan) -> list[str]:
    reads = f"; the target reads {t.prose(known.reads, 80)}" if known.reads else ""
    detail = t.prose(known.detail, 300).rstrip(".") if known.detail else "the process died while applying"
    return [f"*Unknown*: {t.prose(plan.title, 120)}: {detail}{reads}; I will not retry"]


def _failed(known: Outcome, plan: Plan) -> list[str]:
    reads = f"The target reads {t.prose(known.reads, 80)}" if known.reads else ""
    reference = f"Reference {t.prose(known.reference, 40)}" if known.reference else ""
    return [f"*Failed*: {t.prose(plan.title, 120)} did not go through", _detail(known), reads, reference]


def _detail(known: Outcome) -> str:
    return t.prose(known.detail, 300) if known.detail else ""


def _message(approval: Approval, parts: list[str], *, undo: bool = False, keep: bool = False) -> Message:
    body = t.sentence(parts)
    buttons: list[Json] = []
    if undo and approval.undo_of is None:
        buttons.append(button("undo", "Undo", approval.id))
    if keep:
        buttons.append(button("keep", "Keep", approval.id))
    return Message(
        text=t.push(t.unescape(body)), blocks=(*sections(body), *context("Times are UTC."), *actions(*buttons))
    )
