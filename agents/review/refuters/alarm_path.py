"""The alarm's own path: the cause must lie where the alarmed requests go, and the alarm must not be all that is wrong.

A service that the alarmed one does not call, directly or not, cannot slow its requests; one that calls it can flood it.
Where nothing but the alarm itself tells of a fault, the alarm or its scrape may be what broke; what a cluster or a
database shows of its own state tells of one, too.
"""

from __future__ import annotations

from agents.review.refuter import Refuter, RefuterFinding, Subject, doubtful, held, is_load, not_judged
from agents.rows import Logged, Moved, Printed, Traced


class AlarmPathRefuter(Refuter):
    name = "alarm_path"
    title = "Does the alarm's own path lead there?"

    def judge(self, subject: Subject) -> RefuterFinding:
        symptom, service = subject.symptom, subject.cause.service
        if symptom is None:
            return _without_symptom(subject)
        if symptom.service == service or not subject.calls:
            return held("it is where the symptom is")
        if symptom.service not in subject.calls or service not in subject.calls:
            return not_judged(f"what {symptom.service} calls is not declared")
        floods = is_load(subject.cause) or symptom.family == "traffic"
        measured = {row.peer for row in subject.rows(Moved) if row.service == symptom.service}
        if service in subject.reach(symptom.service) or service in measured:
            return held(f"{symptom.service} calls it, directly or not")
        if floods and symptom.service in subject.reach(service):
            return held(f"it calls {symptom.service} and can flood it")
        return doubtful(f"{symptom.service}, where it is noticed, does not call {service}, as far as is declared")


def _without_symptom(subject: Subject) -> RefuterFinding:
    told = [row for row in subject.rows(Logged) if row.shift in ("new", "grown")]
    cited = {claim.artifact for claim in subject.claims if claim.status == "observed" and claim.side == "for"}
    shown = [row for item in subject.results if item.id in cited for row in item.rows if isinstance(row, Printed)]
    if subject.rows(Moved) or told or subject.rows(Traced) or shown:
        return not_judged("no symptom was measured")
    return doubtful("nothing but the alarm tells of a fault: no metric, log pattern or trace moved")


REFUTER = AlarmPathRefuter()
