"""Gathers what the connected sources know of a window, concurrently, and names what they could not tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from agents.connecting.connector import LogsRead, SeriesRead, SpansRead
from agents.connecting.toolbox import Toolbox
from agents.errors import AgentError
from agents.evidence.changes.deployments import as_one
from agents.evidence.logs.miner import fold_lines
from agents.evidence.traces.merging import merge_spans
from agents.evidence.types import Change, LogLine, RawSeries, Spans, Window
from agents.failure import log_failure
from agents.investigation.coverage import Look

log = logging.getLogger("autoheal.telemetry")

_SOURCE_TIMEOUT_S: Final = 30.0
_LEAST_SAMPLES: Final = 4
_UNTRACED: Final = "has no traces of this time"
# Deployments are looked for further back than metrics: a change may have been waiting for its moment.
_CHANGES_BEFORE: Final = timedelta(hours=24)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Raw material of the evidence engine. `logs` holds a sequence a source; `gaps` are sentences for the report.

    `spans` are those of all sources as one, or None where none was read. `looks` tell of each source whether it was
    read, `kinds` of which kinds of evidence something was: metrics, logs, changes, traces.
    """

    window: Window
    series: tuple[RawSeries, ...]
    logs: tuple[Sequence[LogLine], ...]
    changes: tuple[Change, ...]
    gaps: tuple[str, ...]
    spans: Spans | None = None
    looks: tuple[Look, ...] = ()
    kinds: frozenset[str] = frozenset()

    @property
    def can_judge(self) -> bool:
        """Whether anything was read by which a service can be told to be well or not."""
        return bool(self.series) or self.spans is not None or any(len(source) for source in self.logs)

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """Of all sources, in time order, a stack trace with the line it belongs to. It unpacks them: for the evidence
        worker.
        """
        return tuple(sorted((line for source in self.logs for line in fold_lines(source)), key=lambda line: line.time))


async def gather(
    toolbox: Toolbox,
    window: Window,
    *,
    metrics: bool = True,
    logs: bool = True,
    traces: bool = True,
    services: Sequence[str] | None = None,
) -> Gathered:
    """Read all sources at once. A source that fails or is late becomes a gap and never stops the others."""
    wider = Window(start=window.start - _CHANGES_BEFORE, end=window.end)
    series_reads, log_reads, change_reads, span_reads = await asyncio.gather(
        ask_all(toolbox.metrics if metrics else [], lambda source: source.read_series(window, services)),
        ask_all(toolbox.logs if logs else [], lambda source: source.read_logs(window, services)),
        ask_all(toolbox.changes, lambda source: source.read_changes(wider, services)),
        ask_all(toolbox.traces if traces else [], lambda source: source.read_spans(window, services)),
    )
    looks = {
        "metrics": [_look(one, _samples(one.answer), "has too few samples of this time") for one in series_reads],
        "logs": [_look(one, one.answer is not None and _lines(one.answer)) for one in log_reads],
        "changes": [_look(one, one.answer is not None) for one in change_reads],
        "traces": [_look(one, _spans(one.answer), _UNTRACED) for one in span_reads],
    }
    all_looks = [look for one in looks.values() for look in one]
    told = [
        *(look.gap for look in all_looks if look.why),
        *_gaps(series_reads),
        *_gaps(log_reads),
        *_gaps(change_reads),
        *_gaps(span_reads),
    ]
    changes = (change for one in change_reads if one.answer is not None for change in one.answer.changes)
    return Gathered(
        window=window,
        series=tuple(series for one in series_reads if one.answer is not None for series in one.answer.series),
        logs=tuple(one.answer.lines for one in log_reads if one.answer is not None),
        changes=tuple(as_one(changes)),
        gaps=tuple(dict.fromkeys(told)),
        spans=merge_spans([one.answer.spans for one in span_reads if one.answer is not None]),
        looks=tuple(all_looks),
        kinds=frozenset(kind for kind, found in looks.items() if any(not look.why for look in found)),
    )


@dataclass(frozen=True, kw_only=True)
class Attempt(Generic[R]):
    """What a source answered, or why it did not."""

    source: str
    answer: R | None = None
    why: str = ""


def _samples(read: SeriesRead | None) -> bool:
    """Whether there is enough to compare a moment with the time before it."""
    return read is not None and any(series.times.size >= _LEAST_SAMPLES for series in read.series)


def _spans(read: SpansRead | None) -> bool:
    return read is not None and read.spans.ts.size > 0


def _gaps(attempts: Sequence[Attempt[Any]]) -> list[str]:
    return [gap for one in attempts if one.answer is not None for gap in one.answer.gaps]


def _lines(read: LogsRead) -> bool:
    """An empty log that was read says that nothing was logged; one that was not read says nothing."""
    return len(read.lines) > 0 or not read.gaps


def _look(attempt: Attempt[R], told: bool, otherwise: str = "could not be read") -> Look:  # noqa: FBT001 -- a verdict
    return Look(source=attempt.source, why=attempt.why or ("" if told else otherwise))


async def ask_all(sources: Sequence[T], read: Callable[[T], Awaitable[R]]) -> list[Attempt[R]]:
    """Of each source what it answered, all at once: none that fails or is late stops the others."""
    return list(await asyncio.gather(*(_one(source, read) for source in sources)))


async def _one(source: T, read: Callable[[T], Awaitable[R]]) -> Attempt[R]:
    title = str(getattr(source, "title", type(source).__name__))
    try:
        async with asyncio.timeout(_SOURCE_TIMEOUT_S):
            return Attempt(source=title, answer=await read(source))
    except TimeoutError:
        why = f"did not answer within {_SOURCE_TIMEOUT_S:.0f} s"
    except AgentError as exc:
        why = str(exc)
    except Exception as exc:  # noqa: BLE001 - the outer guard of a source: its bug must not cost the others' evidence
        reference = log_failure(log, "source.failed", exc, source=title)
        why = f"failed inside Autoheal (reference {reference}, {type(exc).__name__})"
    return Attempt(source=title, why=why)
