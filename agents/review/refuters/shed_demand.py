"""Demand that was counted behind a limiter looks flat while the true demand rose: refused requests were never counted.

Where something was refused for its number (429, rate limit, full queue) and the draft says that the load did not rise,
the load was measured after shedding.
"""

from __future__ import annotations

import re
from typing import Final

from agents.review.refuter import Refuter, RefuterFinding, Subject, doubtful, held, is_load
from agents.rows import Logged, Moved

_SHED: Final = re.compile(
    r"\b429\b|too many requests|rate.?limit|throttl|load.?shed|\bshedding\b|queue (?:is )?full|backlog full"
    r"|connection (?:limit|refused: backlog)|overloaded",
    re.IGNORECASE,
)
_CLEARED: Final = re.compile(
    r"\b(?:load|traffic|demand|requests?(?: rates?)?)\b.{0,40}\b(?:flat|steady|unchanged|not (?:rise|higher|more|grow)"
    r"|did not rise|normal|usual|fell|constant)\b",
    re.IGNORECASE,
)


class ShedDemandRefuter(Refuter):
    name = "shed_demand"
    title = "Was demand measured behind a limiter?"

    def judge(self, subject: Subject) -> RefuterFinding:
        if is_load(subject.cause):
            return held("the cause is demand itself")
        shed = [
            row.example
            for row in subject.rows(Logged)
            if row.shift in ("new", "grown") and row.service and _SHED.search(row.example)
        ]
        shed += [r.indicator for r in subject.rows(Moved) if r.now > r.before and _SHED.search(r.indicator)]
        if not shed:
            return held("nothing was refused for its number")
        cleared = [c.text for c in subject.claims if _CLEARED.search(c.text)]
        cleared += [h.text for h in subject.hypotheses if h.state == "refuted" and _about_load(f"{h.text} {h.reason}")]
        if not cleared and subject.cause.change_verdict == "cause":
            return held("requests were refused, and nothing in the draft rests on how many there were")
        return doubtful("requests were refused for their number, so what was counted is not the demand")


def _about_load(text: str) -> bool:
    return re.search(r"\b(?:load|traffic|surge|demand)\b", text, re.IGNORECASE) is not None


REFUTER = ShedDemandRefuter()
