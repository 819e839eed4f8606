"""A cause comes before its effect: what moved at the service of the cause only after users noticed is an effect, too.

A change that ran for hours before anything moved does not explain a fault that comes at once; what fills up slowly
(memory, connections, disks) may.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from agents.review.refuter import Refuter, RefuterFinding, Subject, doubtful, held, not_judged, refuted

_LATE: Final = timedelta(minutes=2)  # beyond what dating two noisy series against each other can be off
_OLD_S: Final = 2 * 3600
_FILLS: Final = frozenset(("memory", "saturation", "restarts"))


class TimingRefuter(Refuter):
    name = "timing"
    title = "Did the cause come before the effect?"

    def judge(self, subject: Subject) -> RefuterFinding:
        began = subject.began
        if began is None:
            return not_judged("no result says when it began")
        change = subject.change
        if change is not None and change.before_onset_s is not None:
            if change.before_onset_s < -began.within_s:
                return refuted(f"{change.change} came {abs(change.before_onset_s):.0f} s after it began")
            fills = any(row.family in _FILLS for row in subject.own())
            if change.before_onset_s > _OLD_S and not fills:
                hours = change.before_onset_s / 3600
                return doubtful(
                    f"{change.change} had run for {hours:.0f} hours before it began, and nothing filled up meanwhile"
                )
        dated = [row for row in subject.own() if row.since is not None and row.role != "symptom"]
        if not dated:
            return not_judged(f"nothing dated was measured at {subject.cause.external or subject.cause.service}")
        first = min(dated, key=lambda row: row.since or began.at)
        late = (first.since or began.at) - began.at
        if late > max(_LATE, timedelta(seconds=3 * began.within_s)):
            where = subject.cause.external or subject.cause.service
            return refuted(f"at {where} nothing moved until {late.total_seconds():.0f} s after it began elsewhere")
        return held("what moved there moved no later than the symptom")


REFUTER = TimingRefuter()
