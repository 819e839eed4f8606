"""What tools find, as typed rows: the text that a model reads is printed from them and never parsed back.

A small closed set. `service` is where a row was read from, as the tool knows it; `line` is the row as the result prints
it, empty where it was left off; `link` is the vendor's page about it. Moments are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Role = Literal["symptom", "metric", "trace", "line", "change", "compared"]
Shift = Literal["new", "grown", "vanished", "seen"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """Base of all rows."""

    service: str = ""
    line: str = ""
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class Began(Row):
    """When the abnormal behaviour began, give or take `within_s`; `score` is in noise units."""

    at: datetime
    within_s: float
    score: float


@dataclass(frozen=True, kw_only=True)
class Moved(Row):
    """An indicator that went from `before` to `now`, both in `unit` (s, ratio, bytes, /s, count, ...).

    `peer` is the called side of an indicator of calls. `ratio` is None when `before` is zero. `score` is in noise
    units. `lowest` and `highest` are what it reached in between, where that is known.
    """

    indicator: str
    unit: str
    before: float
    now: float
    lowest: float | None = None
    highest: float | None = None
    family: str = "other"
    peer: str = ""
    ratio: float | None = None
    score: float = 0.0
    since: datetime | None = None
    role: Role = "metric"
    suspect: int = 0
    example: str = ""


@dataclass(frozen=True, kw_only=True)
class Suspect(Row):
    """One ranked service, `place` 1 first; rows with the same `suspect` number belong to it."""

    place: int
    family: str
    score: float
    confidence: str
    external: str = ""
    explains: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Changed(Row):
    """A deployment or another change. `before_onset_s` is negative after the onset; None where no onset is known.

    `author` is for people: no result prints it, so no model reads it.
    """

    change: str
    at: datetime
    kind: str = "deployment"
    version: str = ""
    previous_version: str = ""
    summary: str = ""
    author: str = ""
    files: tuple[str, ...] = ()
    verdict: str = ""
    before_onset_s: float | None = None
    precedes_onset: bool | None = None
    reaches_symptom: bool | None = None
    score: float = 0.0
    suspect: int = 0


@dataclass(frozen=True, kw_only=True)
class Logged(Row):
    """A log line, or a pattern of lines with one real `example`. Shares are of the service's own lines, from 0 to 1."""

    example: str
    level: str = ""
    first: datetime | None = None
    last: datetime | None = None
    count: int = 1
    shift: Shift = "seen"
    count_before: int = 0
    share_before: float = 0.0
    share_now: float = 0.0
    suspect: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sampled(Row):
    """Samples of one series in time order. `counted`: the value itself, a running total, or its increase per second."""

    name: str
    points: tuple[tuple[datetime, float], ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    counted: Literal["value", "total", "rate"] = "value"


@dataclass(frozen=True, kw_only=True)
class Altered(Row):
    """What lies between two versions. `diff` is the unified diff; `whole` is false where it was cut off."""

    change: str
    diff: str
    from_version: str = ""
    to_version: str = ""
    at: datetime | None = None
    summary: str = ""
    files: tuple[str, ...] = ()
    migrations: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class State(Row):
    """One value as it stood at a moment: a target's version, a number of instances, a rule, an alert."""

    name: str
    value: str
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Alerted(Row):
    """An alert that its source holds for active. `state`: firing, or what keeps it quiet (as silenced or acknowledged).

    `key` is the source's own id of it; `by` are the ids of the silences, or of the alerts, that keep it quiet.
    """

    name: str
    state: str
    since: datetime
    key: str = ""
    severity: str = ""
    summary: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Silenced(Row):
    """A silence: what it matches, until when, and why.

    `by` is for people: no result prints it, so no model reads it.
    """

    silence: str
    matchers: tuple[str, ...]
    since: datetime
    until: datetime
    by: str = ""
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class Filed(Row):
    """An incident, issue or ticket as its tracker holds it; `kind` is its word there, `key` the tracker's id of it.

    `first` is when it was opened or seen first, `last` when it was seen or changed last, `count` how often it was seen;
    None where the tracker does not say so.
    """

    kind: str
    key: str
    title: str
    state: str
    first: datetime | None = None
    last: datetime | None = None
    count: int | None = None
    severity: str = ""


@dataclass(frozen=True, kw_only=True)
class Noted(Row):
    """What somebody wrote at an incident, issue or ticket, whose key is `about`.

    `by` is for people: no result prints it, so no model reads it.
    """

    about: str
    text: str
    at: datetime | None = None
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class Contents(Row):
    """A file at a version, to the letter; or one line of it, with its `number` (1 is the first) where that is known."""

    path: str
    version: str
    text: str
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Tracked(Row):
    """A file that there is at a version, `size` in bytes. `altered`: the version before had another one, or none."""

    path: str
    version: str
    size: int
    altered: bool = False


@dataclass(frozen=True, kw_only=True)
class Configured(Row):
    """A setting of a file at a version, as written there; `value` is None where it is gone.

    `before` is its value at `previous_version`, where there is one to compare with. `kind` says what became of it:
    same, changed, added or removed; "" where nothing was compared.
    """

    path: str
    key: str
    value: str | None
    version: str
    before: str | None = None
    previous_version: str = ""
    kind: Literal["", "same", "changed", "added", "removed"] = ""


@dataclass(frozen=True, kw_only=True)
class Searched(Row):
    """What was looked for, where and when, and how much was found: with nothing found it is an absence.

    `wanted` are the filters by name. `whole` is false where more was there than was taken.
    """

    what: str
    found: int
    start: datetime | None = None
    end: datetime | None = None
    wanted: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class Unread(Row):
    """What could not be read, in words; `part` where something was read all the same."""

    reason: str
    part: bool = False


@dataclass(frozen=True, kw_only=True)
class Spent(Row):
    """Where the time of a service's requests goes: `part` is own work or the called service. Means per request."""

    part: str
    before_s: float | None
    now_s: float | None
    calls_before: float | None = None
    calls_now: float | None = None
    most: bool = False
    callee: bool = False


@dataclass(frozen=True, kw_only=True)
class Traced(Row):
    """One recorded request, or one step of it."""

    trace: str
    operation: str
    at: datetime
    lasted_s: float
    failed_in: tuple[str, ...] = ()
    spans: int = 1


@dataclass(frozen=True, kw_only=True)
class Printed(Row):
    """What a vendor's own program printed, to the letter, where there is no better row for it."""

    program: str
    text: str


KINDS: tuple[type[Row], ...] = (
    Began,
    Moved,
    Suspect,
    Changed,
    Logged,
    Sampled,
    Altered,
    State,
    Alerted,
    Silenced,
    Filed,
    Noted,
    Contents,
    Tracked,
    Configured,
    Searched,
    Unread,
    Spent,
    Traced,
    Printed,
)
