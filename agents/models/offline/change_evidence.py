"""Change evidence: does what a change altered explain what is shown? That separates a cause from a coincidence in time.

Grade 2: the diff touches the very thing that the evidence names (a limit that the log quotes, the function in the
stack, the query that became slow). Grade 1: such a change can do this. Grade 0: nothing links them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agents.evidence.names import is_datastore
from agents.models.offline.diff import Hunk, Setting, read_diff, word_set, words_of
from agents.models.offline.findings import FoundSuspect, Metric, Pattern

_OUT_OF_ROOM: Final = re.compile(
    r"file too large|no space left|too many open files|disk full|quota exceeded|read-only file system"
    r"|\berrno (?:24|27|28|30|122)\b",
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
_CAPACITY: Final = word_set(
    "pool size limit workers threads connections concurrency capacity queue memory heap longest length slots replicas"
)
_WRITES: Final = re.compile(r"write|append|open\(|dump|log\b|save|store|flush", re.IGNORECASE)
_WAITING: Final = word_set("timeout deadline retry retries")
_TIME: Final = word_set("timeout deadline interval delay wait ttl period retry retries backoff")


class FaultKind(StrEnum):
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
class SuspectEvidence:
    """What is known of one suspect: its metrics and bad log patterns, and the stack frames of its errors."""

    service: str
    fault: FaultKind
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
class ChangeEvidence:
    """`line` is the altered line that shows it, verbatim with its sign; `did` says what the change did."""

    grade: int
    line: str
    did: str
    why: str
    setting: bool = False


def weigh_evidence(
    suspect: FoundSuspect, patterns: Sequence[Pattern], stacks: Iterable[str], services: Iterable[str]
) -> SuspectEvidence:
    bad = _unique([*suspect.patterns, *(p for p in patterns if p.service == suspect.service)])
    others = [s for s in services if s != suspect.service]
    own = [p for p in bad if not relays(p.example, others)]
    frames = {name for text in stacks for match in _FRAME.finditer(text) for name in match.groups() if name}
    fault = _fault_kind(suspect, "\n".join(p.example for p in own), "\n".join(p.example for p in bad))
    shown = own if own and fault not in (FaultKind.TIMEOUT, FaultKind.CALLS) else bad
    return SuspectEvidence(
        service=suspect.service,
        fault=fault,
        metrics=suspect.metrics,
        patterns=tuple(shown),
        frames=frozenset(frames),
    )


def relays(example: str, others: Iterable[str]) -> bool:
    """Whether a log line speaks of a call to another service; a name inside a path is no service."""
    return any(re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w-])", example) for name in others)


def judge_change(diff_text: str, evidence: SuspectEvidence) -> ChangeEvidence:
    """The best link between any altered file and the evidence."""
    hunks = sorted(read_diff(diff_text), key=lambda hunk: not hunk.inside)
    found = [one for hunk in hunks for one in _change_evidence(hunk, evidence)]
    return max(
        found,
        key=lambda one: one.grade,
        default=ChangeEvidence(grade=0, line="", did="", why="its diff could not be understood"),
    )


def _fault_kind(suspect: FoundSuspect, own: str, all_text: str) -> FaultKind:
    """The first that holds: what the log names outright counts before what a metric's family suggests."""
    family = suspect.family
    peers = {m.peer for m in suspect.metrics if m.peer}
    own_store = bool(peers) and all(is_datastore(p) for p in peers)  # its queries are its own work
    calling = bool(suspect.external) or (family.startswith("dependency_") and not own_store)
    ran_out = bool(_OUT_OF_MEMORY.search(own))  # alone it may be the load: held requests hold memory
    grew = any(m.rose and {"memory", "heap", "rss"} & words_of(m.indicator) for m in suspect.metrics)
    timed_out = bool(_TIMED_OUT.search(all_text))
    rules = (
        (family == "traffic", FaultKind.SURGE),
        (bool(_OUT_OF_ROOM.search(own)), FaultKind.ROOM),
        (family == "memory" or (ran_out and grew), FaultKind.LEAK),
        (calling, FaultKind.TIMEOUT if timed_out else FaultKind.CALLS),
        (bool(_EXHAUSTED.search(own)), FaultKind.POOL),
        (ran_out, FaultKind.RESTARTS),
        (bool(_RAISED.search(own)), FaultKind.EXCEPTION),
        (family in ("latency", "cpu") or (family == "dependency_latency" and own_store), FaultKind.SLOW),
        (family == "saturation", FaultKind.POOL),
        (family == "restarts", FaultKind.RESTARTS),
        (timed_out, FaultKind.TIMEOUT),
        (bool(_UNREACHED.search(all_text)) or bool(all_text and not own), FaultKind.CALLS),
        (any(m.peer and "error" in m.indicator for m in suspect.metrics), FaultKind.CALLS),
    )
    return next((fault for holds, fault in rules if holds), FaultKind.ERRORS)


def _change_evidence(hunk: Hunk, evidence: SuspectEvidence) -> list[ChangeEvidence]:
    found = [_judge_setting(setting, hunk, evidence) for setting in hunk.settings]
    if hunk.is_code and (hunk.added or hunk.removed):
        found.append(_judge_code(hunk, evidence))
    if not found:
        found.append(
            ChangeEvidence(grade=0, line=hunk.telling, did=f"changed {hunk.name}", why=f"{hunk.name} is not involved")
        )
    return found


def _judge_setting(setting: Setting, hunk: Hunk, evidence: SuspectEvidence) -> ChangeEvidence:
    verb = "cut" if setting.lowered else "set"
    did = f"{verb} {setting.key} from {setting.old} to {setting.new}"
    key, logs = words_of(setting.key), words_of(evidence.log_text)
    telling = key - _CAPACITY - _TIME
    plain = not telling or bool(telling & words_of(_metric_words(evidence)))
    quoted = re.search(rf"(?<![\d.]){re.escape(setting.new)}(?![\d]|\.\d)", evidence.log_text) is not None
    limits = evidence.fault in (FaultKind.POOL, FaultKind.SLOW, FaultKind.ERRORS) and bool(key & _CAPACITY) and plain
    waits = evidence.fault in (FaultKind.TIMEOUT, FaultKind.CALLS) and bool(key & _WAITING)
    area = (words_of(setting.section) | key) - _CAPACITY - _TIME
    if (limits or waits) and quoted:
        grade, why = 2, f"the log names the new value {setting.new}"
    elif key and (key <= logs or (not telling and key & logs and setting.lowered)):
        grade, why = 2, f"the log speaks of the {min(key & logs)}"
    elif area & logs:
        grade, why = (2 if key & (_CAPACITY | _TIME) else 1), f"the log speaks of {min(area & logs)}"
    elif limits or waits:
        grade, why = 1, f"{setting.key} can do this"
    else:
        grade, why = 0, f"{setting.key} touches nothing that the evidence shows"
    return ChangeEvidence(
        grade=grade, line=setting.line, did=f"{did} in {hunk.name}" if len(did) < 40 else did, why=why, setting=True
    )


def _judge_code(hunk: Hunk, evidence: SuspectEvidence) -> ChangeEvidence:
    fault, altered = evidence.fault, words_of(" ".join([*hunk.added, *hunk.removed]))
    shown = words_of(f"{evidence.log_text} {_metric_words(evidence)}")
    near = altered | words_of(" ".join([*hunk.functions, *hunk.around]))
    # Where a call fails or a limit is hit, the function that tells of it has not done it.
    framed = sorted(evidence.frames & hunk.altered) if fault in (FaultKind.EXCEPTION, FaultKind.ERRORS) else []
    line, did = hunk.telling, f"changed {hunk.place}"
    grade, why = 1, "it changes code of this service"
    if framed:
        grade, why = 2, f"the error is raised in {framed[0]}"
    elif fault is FaultKind.LEAK:
        grade, why = (2, "it keeps what it made") if hunk.kept else (1, why)
        line, did = (f"+{hunk.kept}", f"began to keep what it makes in {hunk.place}") if hunk.kept else (line, did)
    elif fault in (FaultKind.SLOW, FaultKind.POOL) and hunk.sql and hunk.only_columns:
        grade, why = 0, "it only reads other columns"
    elif fault in (FaultKind.SLOW, FaultKind.POOL) and hunk.sql:
        grade, why = (2, "this is what became slow") if near & shown else (1, "a query can become slow by this")
        did = f"changed a query in {hunk.place}"
    elif fault is FaultKind.EXCEPTION:
        named = sorted(altered & words_of(evidence.log_text))
        grade, why = (2, f"the error speaks of {named[0]}") if named else (1, "changed code can fail like this")
    elif fault is FaultKind.ROOM:
        writes = _WRITES.search(" ".join(hunk.added)) and altered & words_of(evidence.log_text)
        grade, why = (1, "it writes there") if writes else (0, "it writes no more than before")
    elif fault in (FaultKind.CALLS, FaultKind.TIMEOUT):
        grade, why = (1, "it changes what is sent") if _sends(hunk) else (0, "it does not touch the calls")
    elif fault is FaultKind.SURGE:
        grade, why = 0, "it cannot bring more requests"
    return ChangeEvidence(grade=grade, line=line, did=did, why=why)


def _sends(hunk: Hunk) -> bool:
    """Whether the altered lines stand in or beside a call to somebody else."""
    near = " ".join(line for line in (*hunk.around, *hunk.added, *hunk.removed) if not line.lstrip().startswith("@"))
    return re.search(r"client\b|https?://|\.post\(|\bfetch\(|_url\b|endpoint|hostname", near, re.IGNORECASE) is not None


def _metric_words(evidence: SuspectEvidence) -> str:
    return " ".join(f"{m.indicator} {m.peer}" for m in evidence.metrics)


def _unique(patterns: Iterable[Pattern]) -> list[Pattern]:
    return list({p.example: p for p in patterns if p.bad}.values())
