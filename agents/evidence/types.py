"""The nouns of the evidence engine: what goes in, what is found, what comes out.

Arrays hold times as float epoch seconds (UTC) and float values where NaN means "no sample". A single moment is an aware
UTC `datetime`. Everything is frozen; array-carrying types compare by identity because array equality is not a bool.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Stretch = tuple[float, float]  # from and until, epoch seconds

RawKind = Literal["counter", "gauge", "histogram_bucket", "unknown"]
Family = Literal[
    "traffic",
    "errors",
    "latency",
    "saturation",
    "memory",
    "cpu",
    "restarts",
    "dependency_errors",
    "dependency_latency",
    "network",
    "syscall",
    "log",
    "structure",
    "other",
]
Source = Literal["metrics", "traces", "logs", "changes"]
Direction = Literal["up", "down"]
Verdict = Literal["cause_candidate", "coincides", "after_onset", "unrelated", "undone"]
Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RawSeries:
    """One time series as scraped from `/metrics` or answered by a Prometheus range query (cumulative for counters).

    `unit` is what its source says beside the name, if anything; it is heard for gauges only.
    """

    name: str
    labels: Mapping[str, str]
    kind: RawKind
    times: FloatArray
    values: FloatArray
    unit: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """One derived indicator of one service; `peer` names the called side for client-side indicators.

    `bad` is the direction that hurts, or both; None means that of the family. `adds` is true where the sum over the
    services of a fleet means something, so that amounts can be compared.
    """

    service: str
    indicator: str
    family: Family
    unit: str
    labels: Mapping[str, str]
    times: FloatArray
    values: FloatArray
    peer: str | None = None
    bad: Direction | Literal["both"] | None = None
    adds: bool = False


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """`text` is the message as written; `fields` are the other values of a structured line, as strings."""

    time: datetime
    service: str
    level: str
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Spans:
    """Spans in columns of one length, in no particular order. `ts` is the beginning (epoch seconds).

    `service` and `operation` are indexes into `services` and `operations`. `trace`, `span` and `parent` are numbers
    that identify within this object; a parent of -1 is a root, or was not recorded. `failed` is None where nobody
    recorded it. `trace_ids` are the recorder's own names of the traces, by number, as people look them up; empty where
    nobody kept them.
    """

    ts: FloatArray
    service: IntArray
    operation: IntArray
    duration_s: FloatArray
    trace: IntArray
    span: IntArray
    parent: IntArray
    services: tuple[str, ...]
    operations: tuple[str, ...]
    failed: BoolArray | None = None
    trace_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    id: str
    service: str
    at: datetime
    kind: Literal["deployment", "config", "other"]
    version: str | None = None
    previous_version: str | None = None
    summary: str = ""
    author: str = ""
    paths: tuple[str, ...] = ()
    link: str | None = None
    """The vendor's page about it."""
    commit: str = ""
    previous_commit: str = ""
    """The code that it runs, and that ran before, where `version` names something else, as a hash of a pod template."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    caller: str
    callee: str


@dataclass(frozen=True, kw_only=True)
class Window:
    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class Onset:
    """When the abnormal behaviour began. The baseline must end `guard_s` before `at`. `score` is in noise units.

    It may really have begun as much as `late_s` later.
    """

    at: datetime
    guard_s: float
    score: float
    direction: Direction
    late_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """`baseline` and `current` are in `unit`; `ratio` is None when the baseline is zero; `score` is in noise units.

    `exemplar` is one verbatim line or call that shows it, where there is one.
    """

    service: str
    indicator: str
    family: Family
    peer: str | None
    baseline: float
    current: float
    ratio: float | None
    score: float
    onset: Onset | None
    unit: str
    direction: Direction
    source: Source = "metrics"
    exemplar: str | None = None


@dataclass(frozen=True, kw_only=True)
class TemplateShift:
    """A log pattern that is new, grew or vanished. Shares are of the service's own lines, so load does not matter."""

    service: str
    template_id: str
    template: str
    kind: Literal["new", "grown", "vanished"]
    baseline_count: int
    current_count: int
    share_before: float
    share_after: float
    level: str
    exemplar: str
    first_seen: datetime
    last_seen: datetime
    score: float


@dataclass(frozen=True, kw_only=True)
class ChangeFinding:
    """`seconds_before_onset` is negative for a change after the onset; `distance` counts calls from the symptom."""

    change: Change
    precedes_onset: bool
    seconds_before_onset: float
    reaches_symptom: bool
    distance: int | None
    family_match: float
    score: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Telemetry:
    """All that is known of one incident. `gaps` name what could not be read; they are handed through to the ranking.

    `symptom_service` and `symptom_family` are where and in what the alarm was raised, as far as that is known.
    `reported_at` is when somebody said that it began, or noticed; it may be minutes wrong either way. Spans and log
    lines were recorded only inside `coverage` and `spliced`: elsewhere their absence says nothing; None means
    everywhere. `spliced` stretches of any signal were recorded at another, quiet time: a level that steps where one
    ends is no sign of an incident.
    """

    window: Window
    series: tuple[Series, ...] = ()
    logs: tuple[LogLine, ...] = ()
    changes: tuple[Change, ...] = ()
    edges: tuple[Edge, ...] = ()
    symptom_service: str | None = None
    symptom_family: Family | None = None
    reported_at: datetime | None = None
    gaps: tuple[str, ...] = ()
    spans: Spans | None = None
    coverage: tuple[Stretch, ...] | None = None
    spliced: tuple[Stretch, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CauseCandidate:
    """A suspect. `external` is set when a dependency outside the observed services is to blame, seen by `service`."""

    service: str
    family: Family
    external: str | None
    score: float
    confidence: Confidence
    change: ChangeFinding | None
    anomalies: tuple[Anomaly, ...]
    templates: tuple[TemplateShift, ...]
    explained_away: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """`causes` are best first. `quiet` means nothing abnormal was found: then there is no onset and no cause.

    `good` are the stretches of time that it was compared with.
    """

    onset: Onset | None
    symptom: Anomaly | None
    causes: tuple[CauseCandidate, ...]
    quiet: bool
    gaps: tuple[str, ...]
    changes: tuple[ChangeFinding, ...] = ()
    good: tuple[Stretch, ...] = ()


def as_utc(seconds: float) -> datetime:
    """Epoch seconds to an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, tz=UTC)
