"""What became of a remedy, said plainly, also when nobody knows; and how the incident ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.approvals.second_look import Held
from agents.remediation import Healing
from handlers.slack.blocks import text as t
from handlers.slack.blocks.card import Card, was_well
from handlers.slack.blocks.evidence import measured_thing
from handlers.slack.blocks.message import Json, Message, actions, button, context, sections
from handlers.slack.blocks.verdict import end_buttons
from store.incidents.approvals import ApprovalState


class _Reading(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    at: float
    value: float


class _SecondLook(BaseModel):
    """`word` is None while it is not over. Times are epoch seconds; `after_s` is how long after it healed."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    word: str | None = None
    at: float | None = None
    since: float | None = None
    last: float | None = None
    after_s: float | None = None


class StoredOutcome(BaseModel):
    """What `approvals.outcome` holds, as far as it is shown. Every part may be missing.

    `last` is the indicator when it was last measured, in the unit of the healing rule; `detail` is what carrying it out
    answered, or what was read after it was interrupted, redacted.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    last: float | None = None
    detail: str | None = None
    readings: tuple[_Reading, ...] = ()
    second_look: _SecondLook = _SecondLook()


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """Which buttons stand below."""

    undo: str = ""
    keep: bool = False
    report: bool = False
    ends: bool = False
    again: bool = False


def outcome(view: Card) -> Message | None:
    """None while there is nothing to tell."""
    approval, plan = view.approval, view.plan
    known = _parse(approval.outcome)
    again = "Re-apply" if approval.undo_of else "Undo"
    match approval.state:
        case ApprovalState.DONE:
            return _message(view, _healed(known, view), _Offer(undo=again if plan.reversible else ""))
        case ApprovalState.HEALED:
            offer = _Offer(undo=again if plan.reversible else "", report=approval.undo_of is None, ends=True)
            return _message(view, _healed(known, view), offer)
        case ApprovalState.NOT_HEALED:
            offer = _Offer(undo=again if plan.reversible else "", keep=approval.undo_of is None)
            return _message(view, _not_healed(known, view), offer)
        case ApprovalState.UNKNOWN:
            undo = again if approval.applied_at is not None and plan.reversible else ""
            return _message(view, _unknown(known, view), _Offer(undo=undo, ends=True))
        case ApprovalState.FAILED:
            return _message(view, _failed(known, view), _Offer())
        case _:
            return None


def came_back(view: Card) -> Message | None:
    """What the second look found where it did not hold: the one message of it that rings. None where it held."""
    approval, plan, known = view.approval, view.plan, _parse(view.approval.outcome)
    healing, look = plan.healing, known.second_look
    if look.word != Held.CAME_BACK or healing is None or look.last is None:
        return None
    thing = measured_thing(healing.service, healing.indicator, healing.unit)
    was, well = known.last, recovered_at(known, healing, approval.finished_at)
    moved = t.change(was, look.last, healing.unit) if was is not None else t.measure(look.last, healing.unit)
    since = f" since {t.minute(_when(look.since))}" if look.since is not None else ""
    seen = "" if look.since is not None else f", seen at {t.minute(_when(look.at))}"
    parts = [
        f"*Came back*: {thing} {moved}{since}{seen}",
        f"{t.prose(plan.title, 120)} had healed it at {t.minute(well)}",
        "" if view.ended else "The incident is open again",
    ]
    again = "Re-apply" if approval.undo_of else "Undo"
    return _message(view, parts, _Offer(undo=again if plan.reversible else "", ends=True, again=not view.ended))


def undo_words(view: Card) -> str:
    """What an undo would put back, and what that did when it last ran. Mrkdwn, for the question before it."""
    plan, known = view.plan, _parse(view.approval.outcome)
    back = t.prose(t.version(plan.from_version), 60)
    lead = f"This puts {back} back on {t.prose(plan.target, 60)}."
    healing = plan.healing
    if healing is None:
        return f"{lead} What it does to {t.prose(plan.target, 60)} was not measured."
    thing = measured_thing(healing.service, healing.indicator, healing.unit)
    then = t.measure(healing.before, healing.unit)
    now = f"; now {t.measure(known.last, healing.unit)}" if known.last is not None else ""
    return f"{lead} While it ran: {thing} {then}{now}."


def recovered_at(known: StoredOutcome, healing: Healing, finished_at: datetime | None) -> datetime | None:
    """When the last unbroken run of good readings began; the end of the check where readings are missing."""
    since = None
    for reading in reversed(known.readings):
        if reading.value > healing.threshold:
            break
        since = datetime.fromtimestamp(reading.at, tz=UTC)
    return since or (finished_at - timedelta(seconds=healing.hold_s) if finished_at else None)


def _parse(stored: Mapping[str, Any] | None) -> StoredOutcome:
    return StoredOutcome.model_validate(stored or {})


def _healed(known: StoredOutcome, view: Card) -> list[str]:
    approval, healing = view.approval, view.plan.healing
    if healing is None or known.last is None:
        done = "Undone" if approval.undo_of else "Done"
        return [f"*{done} at {t.minute(approval.finished_at)}*: the target is in the state that was asked for"]
    thing = measured_thing(healing.service, healing.indicator, healing.unit)
    if approval.undo_of is not None and was_well(healing):
        value = t.measure(known.last, healing.unit)
        held, unsure = _held(known.second_look)
        return [f"*Undone at {t.minute(approval.applied_at)}{held}*, and it stays well: {thing} {value}", unsure]
    at = recovered_at(known, healing, approval.finished_at)
    moved = t.change(healing.before, known.last, healing.unit)
    what = measured_thing("", healing.indicator, healing.unit)
    held, unsure = _held(known.second_look)
    lead = f"*{t.prose(healing.service, 60)} recovered at {t.minute(at)}{held}*"
    return [f"{lead}: {what} {moved}{_impact(view, at)}", unsure]


def _held(look: _SecondLook) -> tuple[str, str]:
    """What the second look adds to the sentence, and what it says in one of its own."""
    after = f"for {t.duration(round(look.after_s / 60) * 60)}" if look.after_s is not None else ""
    match look.word:
        case Held.HELD:
            return f" and held {after}", ""
        case Held.CAME_BACK:
            at = look.since if look.since is not None else look.at
            return f" and came back at {t.minute(_when(at))}", ""
        case Held.NOT_MEASURED:
            return "", f"Whether it held {after} could not be measured"
        case _:
            return "", ""


def _when(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, tz=UTC)


def _impact(view: Card, recovered: datetime | None) -> str:
    """`; 12 min of impact`, in whole minutes where it lasted longer than two."""
    if view.onset is None or recovered is None or recovered <= view.onset:
        return ""
    lasted = (recovered - view.onset).total_seconds()
    return f"; {t.duration(round(lasted / 60) * 60 if lasted > 120 else lasted)} of impact"


def _not_healed(known: StoredOutcome, view: Card) -> list[str]:
    plan, healing = view.plan, view.plan.healing
    moved = t.change(healing.before, known.last, healing.unit) if healing and known.last is not None else ""
    thing = f"{measured_thing(healing.service, healing.indicator, healing.unit)} " if healing else ""
    measured = f": {thing}{moved}" if moved else ""
    if view.approval.undo_of is not None:
        if was_well(healing):
            ran = t.prose(t.version(plan.to_version or plan.from_version), 60)
            return [f"*Broken again after the undo*{measured}", f"{ran} is what breaks it"]
        return [f"*Undone, and no better*{measured}"]
    verdict = f"The {t.prose(plan.remediation.partition('_')[0], 40)} was not the fix"
    return [f"*Not healed*{measured}", verdict]


def _unknown(known: StoredOutcome, view: Card) -> list[str]:
    title = t.prose(view.plan.title, 120)
    if view.approval.applied_at is not None:
        at = t.clock(view.approval.applied_at)
        return [f"*Unknown*: {title} was applied {at}, but whether it healed could not be measured"]
    detail = t.prose(known.detail, 400) if known.detail else "the process died while applying; I will not retry"
    return [f"*Unknown*: {detail}"]


def _failed(known: StoredOutcome, view: Card) -> list[str]:
    detail = t.prose(known.detail, 400) if known.detail else ""
    return [f"*Failed*: {t.prose(view.plan.title, 120)} did not go through", detail, "It will not be tried again"]


def _message(view: Card, parts: list[str], offer: _Offer) -> Message:
    body, approval = t.sentence(parts), view.approval
    ways = end_buttons(approval.investigation_id) if offer.ends and approval.investigation_id and not view.ended else []
    buttons: list[Json] = [*ways[:1]]
    if offer.undo:
        buttons.append(button("undo", offer.undo, approval.id))
    if offer.again:
        buttons.append(button("look_again", "Look again", approval.id))
    if offer.keep:
        buttons.append(button("keep", "Keep", approval.id))
    if offer.report:
        buttons.append(button("draft_report", "Draft report", approval.id))
    buttons += ways[1:]
    return Message(text=t.push(t.unescape(body)), blocks=(*sections(body), *context(view.ended), *actions(*buttons)))
