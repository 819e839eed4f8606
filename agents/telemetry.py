"""Gathers what the connected sources know of a window, concurrently, and names what they could not tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from agents.errors import AgentError
from agents.evidence.miner import fold_lines
from agents.evidence.traces.merging import merge_spans
from agents.evidence.types import Change, LogLine, RawSeries, Spans, Window
from agents.failure import log_failure
from agents.toolbox import Toolbox

log = logging.getLogger("autoheal.telemetry")

_SOURCE_TIMEOUT_S: Final = 30.0
# Deployments are looked for further back than metrics: a change may have been waiting for its moment.
_CHANGES_BEFORE: Final = timedelta(hours=24)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Raw material of the evidence engine. `logs` holds a sequence a source; `gaps` are sentences for the report.

    `spans` are those of all sources as one, or None where none was read.
    """

    window: Window
    series: tuple[RawSeries, ...]
    logs: tuple[Sequence[LogLine], ...]
    changes: tuple[Change, ...]
    gaps: tuple[str, ...]
    spans: Spans | None = None

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
    gaps: list[str] = []
    series_reads, log_reads, change_reads, span_reads = await asyncio.gather(
        _all(toolbox.metrics if metrics else [], lambda source: source.read_series(window), gaps),
        _all(toolbox.logs if logs else [], lambda source: source.read_logs(window, services), gaps),
        _all(toolbox.changes, lambda source: source.read_changes(_wider(window)), gaps),
        _all(toolbox.traces if traces else [], lambda source: source.read_spans(window, services), gaps),
    )
    gaps.extend(gap for read in series_reads for gap in read.gaps)
    gaps.extend(gap for read in log_reads for gap in read.gaps)
    gaps.extend(gap for read in span_reads for gap in read.gaps)
    return Gathered(
        window=window,
        series=tuple(series for read in series_reads for series in read.series),
        logs=tuple(read.lines for read in log_reads),
        changes=tuple(sorted((change for changes in change_reads for change in changes), key=lambda c: c.at)),
        gaps=tuple(dict.fromkeys(gaps)),
        spans=merge_spans([read.spans for read in span_reads]),
    )


def _wider(window: Window) -> Window:
    return Window(start=window.start - _CHANGES_BEFORE, end=window.end)


async def _all(sources: Sequence[T], read: Callable[[T], Awaitable[R]], gaps: list[str]) -> list[R]:
    answers = await asyncio.gather(*(_one(source, read, gaps) for source in sources))
    return [answer for answer in answers if answer is not None]


async def _one(source: T, read: Callable[[T], Awaitable[R]], gaps: list[str]) -> R | None:
    title = str(getattr(source, "title", type(source).__name__))
    try:
        async with asyncio.timeout(_SOURCE_TIMEOUT_S):
            return await read(source)
    except TimeoutError:
        gaps.append(f"{title} did not answer within {_SOURCE_TIMEOUT_S:.0f} s")
    except AgentError as exc:
        gaps.append(f"{title}: {exc}")
    except Exception as exc:  # noqa: BLE001 - the outer guard of a source: its bug must not cost the others' evidence
        reference = log_failure(log, "source.failed", exc, source=title)
        gaps.append(f"{title} failed inside Autoheal (reference {reference}, {type(exc).__name__})")
    return None
