"""A step at the deployment that changed how things are measured may be the measurement, not what is measured.

Where the blamed change touches metrics, buckets or log levels, somebody else must have felt it: a caller, a log line
that is an error, another indicator than the service's own.
"""

from __future__ import annotations

import re
from typing import Final

from agents.review.refuter import Refuter, RefuterFinding, Subject, doubtful, held, not_judged
from agents.rows import Altered, Logged, Moved

_MEASURES: Final = re.compile(
    r"\b(?:histogram|buckets?|counter|gauge|summary|prometheus|statsd|opentelemetry|otel|metrics?)\b\s*[.(=:\[]"
    r"|\.observe\(|\.labels\(|\.inc\(|log_?level|setLevel|sampling_?rate|scrape_interval",
    re.IGNORECASE,
)


class InstrumentedDeployRefuter(Refuter):
    name = "instrumented_deploy"
    title = "Did the change alter how it is measured?"

    def judge(self, subject: Subject) -> RefuterFinding:
        change = subject.change
        if change is None:
            return held("no change is blamed")
        diffs = [r for r in subject.rows(Altered) if change.change == r.change or _same(r.to_version, change.version)]
        if not diffs:
            return not_judged(f"the diff of {change.change} was not read")
        edited = [
            line[1:].strip()
            for row in diffs
            for line in row.diff.splitlines()
            if line[:1] in "+-" and not line.startswith(("+++", "---"))
        ]
        touched = [line for line in edited if _MEASURES.search(line)]
        if not touched:
            return held("the change does not touch how things are measured")
        if len(touched) < len([line for line in edited if line]) and _felt_elsewhere(subject):
            return held("the change touches what is measured, and others felt it as well")
        if _felt_elsewhere(subject):
            return held("others than the instrumented service felt it")
        return doubtful(f"{change.change} alters how {change.service} is measured, and only its own metrics moved")


def _felt_elsewhere(subject: Subject) -> bool:
    mine = subject.cause.service
    by_others = any(row.service != mine and row.role != "compared" for row in subject.ranked(Moved))
    errors = any(
        row.service == mine and row.shift in ("new", "grown") and row.level.lower() in ("error", "critical", "fatal")
        for row in subject.rows(Logged)
    )
    return by_others or errors


def _same(one: str, other: str) -> bool:
    return len(min(one, other, key=len)) >= 6 and (one.startswith(other) or other.startswith(one))


REFUTER = InstrumentedDeployRefuter()
