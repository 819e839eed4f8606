"""The decision trace in words: explanations with what speaks for and against them, the review, who steered, costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agents.investigation.review import title
from agents.investigation.tracing import REVIEWER
from agents.trace import Outcome, Trace, Weighed
from agents.verdict import Verdict
from handlers.slack.blocks import text as t

_OUTCOMES: Final[Mapping[Outcome, str]] = {
    "refuted": "Against the cause",
    "doubtful": "Doubtful",
    "held": "Nothing against it",
    "not_judged": "Could not be told",
}
_ASKED: Final = {"code": "code", "claude": "Claude", "offline": "the offline investigator", "reviewer": "the reviewer"}


def explanations(verdict: Verdict) -> list[str]:
    """Each explanation with its state, why, and the claims for and against it as they are numbered above."""
    if verdict.trace is None or not verdict.trace.hypotheses:
        return [_explanation(h.id, h.text, h.state, h.reason) for h in verdict.hypotheses]
    return [f"{_explanation(h.id, h.text, h.state, h.reason)}{_evidence(h)}" for h in verdict.trace.hypotheses]


def reviewed(verdict: Verdict) -> list[str]:
    """What each attempt to refute the cause found, what speaks against it first."""
    found = verdict.trace.review if verdict.trace is not None else ()
    order = list(_OUTCOMES)
    lines = []
    for one in sorted(found, key=lambda objection: order.index(objection.outcome)):
        back = "; the draft went back" if one.returned else ""
        asked = f"A second reader: {_OUTCOMES[one.outcome].lower()}, " if one.by == REVIEWER else ""
        asked = asked or f"{t.prose(title(one.by), 80)} {_OUTCOMES[one.outcome]}: "
        lines.append(f"{asked}{t.prose(one.reason, 240)}{back}")
    return lines


def steered(verdict: Verdict, speakers: Mapping[str, str]) -> list[str]:
    """What was said meanwhile; `speakers` are Slack's user ids by the note's id, of those who are still here."""
    said = verdict.trace.steered if verdict.trace is not None else ()
    return [
        f"{t.mention(speakers.get(one.note))} {t.clock(t.moment(one.at))}: {t.prose(one.text, 200)}" for one in said
    ]


def costs(verdict: Verdict) -> list[str]:
    """Turns, calls, tokens, money, and how sure the draft was before gate and review."""
    if verdict.trace is None:
        return []
    spent = verdict.trace.costs
    tokens = f"{spent.input_tokens} tokens read, {spent.output_tokens} written"
    counts = f"{t.plural(spent.turns, 'turn')}, {t.plural(spent.tool_calls, 'call')}"
    lines = [f"{counts}, {tokens}, {t.dollars(spent.cost_usd)}"]
    if spent.reviewer_usd:
        lines.append(f"of that the second reader {t.dollars(spent.reviewer_usd)}")
    asked = ", ".join(f"{count} by {_ASKED[by]}" for by, count in _asked(verdict.trace))
    if asked:
        lines.append(f"asked: {asked}")
    if verdict.trace.drafted != verdict.confidence:
        lines.append(f"drafted with confidence {verdict.trace.drafted}, shown with {verdict.confidence}")
    return lines


def _asked(trace: Trace) -> Iterator[tuple[str, int]]:
    for by in _ASKED:
        if count := sum(read.asked_by == by for read in trace.reads):
            yield by, count


def _explanation(name: str, text: str, state: str, reason: str) -> str:
    said = f", {t.prose(reason, 200)}" if reason else ""
    return f"{t.prose(name, 10)} {t.prose(text, 160)}: {state}{said}"


def _evidence(one: Weighed) -> str:
    told = [("for", one.supporting), ("against", one.opposing)]
    parts = [f"{word} it {', '.join(map(str, numbers))}" for word, numbers in told if numbers]
    return f" (claims {'; '.join(parts)})" if parts else ""
