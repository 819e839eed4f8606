"""What happens every day at this hour is no incident's doing: the symptom against the same time a day or a week ago.

Asked where somebody read that comparison in this run and it saw the symptom's service then.
"""

from __future__ import annotations

from typing import Final

from agents.gate.evidence import Evidence
from agents.review.refuter import Refuter, RefuterFinding, Subject, held, not_judged, refuted
from agents.rows import Moved, Unread

_DAY: Final = 1440
_NEAR: Final = 30  # minutes


class SameHourYesterdayRefuter(Refuter):
    name = "same_hour_yesterday"
    title = "Was it the same at this hour yesterday?"

    def judge(self, subject: Subject) -> RefuterFinding:
        symptom = subject.symptom
        if symptom is None:
            return not_judged("no symptom was measured that could be compared")
        compared = [item for item in subject.results if item.tool == "compare_windows" and _days_ago(item)]
        compared = [item for item in compared if item.arguments.get("service") in (None, symptom.service)]
        if not compared:
            return not_judged("nobody compared with the same hour of another day")
        whole = [item for item in compared if not any(isinstance(row, Unread) for row in item.rows)]
        if not whole:
            return not_judged("the other day could not be read whole")
        for item in whole:
            worse = [row for row in item.rows if isinstance(row, Moved) and row.service == symptom.service]
            if any(row.family == symptom.family for row in worse):
                return held(f"{symptom.service} is worse than at the same hour of another day")
        days = "yesterday" if _days_ago(whole[-1]) == 1 else f"{_days_ago(whole[-1])} days ago"
        return refuted(f"{symptom.service} is no worse than at the same hour {days}, so nothing new broke it")


def _days_ago(item: Evidence) -> int:
    """Whole days between the windows; 0 where they are not about whole days apart."""
    ago = item.arguments.get("ago_minutes")
    if not isinstance(ago, int) or ago < _DAY - _NEAR:
        return 0
    days = round(ago / _DAY)
    return days if abs(ago - days * _DAY) <= _NEAR else 0


REFUTER = SameHourYesterdayRefuter()
