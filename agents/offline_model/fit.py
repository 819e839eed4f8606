"""Does what a change altered fit what the evidence shows? The question that separates a cause from a coincidence in time.

Grade 2: the diff touches the very thing that the evidence names (a limit that the log quotes, the function in the stack,
the query that became slow). Grade 1: such a change can do this. Grade 0: nothing links them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agents.offline_model.diff import FileDiff, Setting, read_diff, words_of
from agents.offline_model.findings import Metric, Pattern, Suspect

_OUT_OF_ROOM: Final = re.compile(
    r"file too large|no space left|too many open files|disk full|quota exceeded|read-only file system|\berrno (?:24|27|28|30|122)\b",
    re.IGNORECASE,
)
_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|memoryerror|outofmemory|\boom\b|cannot allocate memory", re.IGNORECASE
)
_TIMED_OUT: Final = re.compile(r"timed? ?out|deadline exceeded", re.IGNORECASE)
_EXHAUSTED: Final = re.compile(r"exhaust|\bpool\b|no free|\bfull\b|too many|overload|queue", re.IGNORECASE)
_UNREACHED: Final = re.compile(
    r"refused|unreachable|unavailable|name or service not known|answered 5\d\d", re.IGNORECASE
)
_RAISED: Final = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Panic|Fault))\b")
_FRAME: Final = re.compile(r"File \"([^\"]+)\", line \d+, in (\w+)|at (?:\w+\.)*(\w+) ?\(")
_CAPACITY: Final = frozenset(
    "pool size limit workers threads connections concurrency capacity queue memory heap longest length slots replicas".split()
)
_TIME: Final = frozenset("timeout deadline interval delay wait ttl period retry retries backoff".split())


class Nature(StrEnum):
    """What kind of fault the evidence shows, in the words of the report."""

    SURGE = "surge"
    ROOM = "file or disk limit hit"
    LEAK = "memory leak"
    POOL = "pool or queue exhausted"
    EXCEPTION = "exception"
    TIMEOUT = "calls time out"
    CALLS = "calls fail"
    SLOW = "slow"
    RESTARTS = "restarts"
    ERRORS = "errors"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of one suspect: its metrics and bad log patterns, and the stack frames of its errors."""

    service: str
    nature: Nature
    metrics: tuple[Metric, ...]
    patterns: tuple[Pattern, ...]
    frames: frozenset[str]

    @property
    def log_text(self) -> str:
        return "\n".join(p.example for p in self.patterns)

    @property
    def exception(self) -> str:
        found = _RAISED.search(self.log_text)
        return found.group(1) if found else ""

    @property
    def outside(self) -> list[str]:
        """Peers of the client-side metrics."""
        return [m.peer for m in self.metrics if m.peer]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """`line` is the altered line that shows it, verbatim with its sign; `did` says what the change did."""

    grade: int
    line: str
    did: str
    why: str


def weigh_evidence(
    suspect: Suspect, patterns: Sequence[Pattern], stacks: Iterable[str], services: Iterable[str]
) -> Evidence:
    bad = _unique([*suspect.patterns, *(p for p in patterns if p.service == suspect.service)])
    others = [s for s in services if s != suspect.service]
    own = [p for p in bad if not relays(p.example, others)]
    frames = {name for text in stacks for match in _FRAME.finditer(text) for name in match.groups() if name}
    nature = _nature(suspect, "\n".join(p.example for p in own), "\n".join(p.example for p in bad))
    shown = own if own and nature not in (Nature.TIMEOUT, Nature.CALLS) else bad
    return Evidence(
        service=suspect.service,
        nature=nature,
        metrics=suspect.metrics,
        patterns=tuple(shown),
        frames=frozenset(frames),
    )


def relays(example: str, others: Iterable[str]) -> bool:
    """Whether a log line speaks of a call to another service; a name inside a path is no service."""
    return any(re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w-])", example) for name in others)


def fit_change(diff_text: str, evidence: Evidence) -> Fit:
    """The best link between any altered file and the evidence."""
    fits = [fit for file in read_diff(diff_text) for fit in _fits(file, evidence)]
    return max(
        fits, key=lambda f: f.grade, default=Fit(grade=0, line="", did="", why="its diff could not be understood")
    )


def _nature(suspect: Suspect, own: str, all_text: str) -> Nature:
    if suspect.family == "traffic":
        return Nature.SURGE
    if _OUT_OF_ROOM.search(own):
        return Nature.ROOM
    if _OUT_OF_MEMORY.search(own) or suspect.family == "memory":
        return Nature.LEAK
    calling = suspect.family.startswith("dependency_") or suspect.external
    if calling and _TIMED_OUT.search(all_text):
        return Nature.TIMEOUT
    if calling:
        return Nature.CALLS
    if _EXHAUSTED.search(own):
        return Nature.POOL
    if _RAISED.search(own):
        return Nature.EXCEPTION
    by_family = {"latency": Nature.SLOW, "saturation": Nature.POOL, "restarts": Nature.RESTARTS, "cpu": Nature.SLOW}
    if suspect.family in by_family:
        return by_family[suspect.family]
    return (
        Nature.TIMEOUT
        if _TIMED_OUT.search(all_text)
        else Nature.CALLS
        if _UNREACHED.search(all_text)
        else Nature.ERRORS
    )


def _fits(file: FileDiff, evidence: Evidence) -> list[Fit]:
    found = [_fit_setting(setting, file, evidence) for setting in file.settings]
    if file.is_code and (file.added or file.removed):
        found.append(_fit_code(file, evidence))
    if not found:
        line = next((f"+{x}" for x in file.added if x.strip()), "")
        found.append(Fit(grade=0, line=line, did=f"changed {file.name}", why=f"{file.name} has nothing to do with it"))
    return found


def _fit_setting(setting: Setting, file: FileDiff, evidence: Evidence) -> Fit:
    verb = "cut" if setting.lowered else "set"
    did = f"{verb} {setting.key} from {setting.old} to {setting.new}"
    capacity, timing = setting.words & _CAPACITY, setting.words & _TIME
    logs, named = words_of(evidence.log_text), words_of(_metric_words(evidence))
    quoted = re.search(rf"(?<![\d.]){re.escape(setting.new)}(?![\d]|\.\d)", evidence.log_text) is not None
    telling = setting.words - _CAPACITY - _TIME
    limits = evidence.nature in (Nature.POOL, Nature.SLOW, Nature.ERRORS) and bool(capacity)
    waits = evidence.nature in (Nature.TIMEOUT, Nature.CALLS) and bool(
        setting.words & {"timeout", "deadline", "retries"}
    )
    if (limits or waits) and quoted:
        grade, why = 2, f"the log names the new value {setting.new}"
    elif telling & logs or (capacity & logs and setting.lowered):
        grade, why = 2, f"the log speaks of the same {' '.join(sorted((telling or capacity) & logs)[:2])}"
    elif limits or waits or (telling | capacity | timing) & named:
        grade, why = 1, f"{setting.key} can do this"
    else:
        grade, why = 0, f"{setting.key} touches nothing that the evidence shows"
    return Fit(grade=grade, line=setting.line, did=f"{did} in {file.name}" if len(did) < 40 else did, why=why)


def _fit_code(file: FileDiff, evidence: Evidence) -> Fit:
    nature, touched = (
        evidence.nature,
        f"{' '.join(file.functions)} {' '.join([*file.added, *file.removed, *file.around])}",
    )
    line = f"+{file.added[0]}" if file.added else f"-{file.removed[0]}"
    where = f"{sorted(file.functions)[0]} in {file.name}" if len(file.functions) == 1 else file.name
    shared = words_of(touched) & words_of(f"{evidence.log_text} {_metric_words(evidence)}")
    framed = sorted(evidence.frames & file.functions)
    if framed:
        return Fit(
            grade=2, line=line, did=f"changed {framed[0]} in {file.name}", why=f"the error is raised in {framed[0]}"
        )
    if nature is Nature.LEAK and file.kept:
        return Fit(
            grade=2, line=f"+{file.kept}", did=f"keeps more in memory ({file.name})", why="it keeps what it made"
        )
    if nature is Nature.SLOW and file.sql:
        sign = "+" if file.sql in file.added else "-"
        grade, why = (2, f"it changes the query behind {sorted(shared)[0]}") if shared else (1, "it changes a query")
        return Fit(grade=grade, line=f"{sign}{file.sql}", did=f"changed a query in {file.name}", why=why)
    if nature is Nature.EXCEPTION:
        grade = 2 if shared and evidence.exception else 1
        return Fit(
            grade=grade,
            line=line,
            did=f"changed {where}",
            why="it changes the code that fails" if shared else "it changes code",
        )
    if nature is Nature.ROOM:
        grade = 1 if words_of(" ".join([*file.added, *file.removed])) & words_of(evidence.log_text) else 0
        return Fit(
            grade=grade,
            line=line,
            did=f"changed {where}",
            why="it writes elsewhere" if grade else "it writes no more than before",
        )
    if nature in (Nature.CALLS, Nature.TIMEOUT, Nature.SURGE):
        altered = words_of(" ".join([*file.added, *file.removed]))
        grade = 1 if nature is not Nature.SURGE and _sends(file) and altered else 0
        return Fit(
            grade=grade,
            line=line,
            did=f"changed {where}",
            why="it changes what is sent" if grade else "it does not touch the calls",
        )
    return Fit(grade=1, line=line, did=f"changed {where}", why="it changes code of this service")


def _sends(file: FileDiff) -> bool:
    """Whether the altered lines stand in or beside a call to somebody else."""
    near = " ".join(line for line in (*file.around, *file.added, *file.removed) if not line.lstrip().startswith("@"))
    return re.search(r"client\b|https?://|\.post\(|\bfetch\(|_url\b|endpoint|hostname", near, re.IGNORECASE) is not None


def _metric_words(evidence: Evidence) -> str:
    return " ".join(f"{m.indicator} {m.peer}" for m in evidence.metrics)


def _unique(patterns: Iterable[Pattern]) -> list[Pattern]:
    return list({p.example: p for p in patterns if p.bad}.values())
