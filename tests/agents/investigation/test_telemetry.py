"""Dead, late and broken sources become gaps; the others are read all the same."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.bench import bench_toolbox
from fakes.bench_traces import BenchTraces
from fakes.inline_engine import SettableClock
from fakes.rig import Rig

from agents.connecting.connector import Check, ConnectorConfig, SeriesRead, SpansRead
from agents.connecting.toolbox import Toolbox
from agents.errors import NeedsReauthorisation, Unavailable
from agents.evidence.types import LogLine, Window
from agents.investigation import telemetry
from agents.investigation.telemetry import Gathered, gather
from agents.tool import Arguments, NoArguments, ToolOutput, tool
from tests.fakes.bare_connector import BareConnector

RigOf = Callable[..., Rig]


class Broken(BareConnector):
    """A metrics source that fails as it is told to."""

    name = "broken"
    title = "Broken metrics"
    config_model = ConnectorConfig

    def __init__(self, failure: BaseException | None) -> None:
        self._failure = failure

    async def check(self) -> Check:
        return Check(ok=False, detail="broken")

    async def read_series(self, window: Window, services: Any = None) -> SeriesRead:
        if self._failure is None:
            await asyncio.Event().wait()
            raise AssertionError("it never answers")
        raise self._failure

    @tool()
    async def broken_read(self, arguments: NoArguments) -> ToolOutput:
        """Reads something."""
        assert isinstance(arguments, Arguments)
        return ToolOutput(text=str(await self.read_series(_window(datetime.now().astimezone()))), summary="")


class BrokenTraces(Broken):
    """The same for traces."""

    title = "Broken traces"

    async def read_spans(self, window: Window, services: Sequence[str] | None = None) -> SpansRead:
        await self.read_series(window)
        raise AssertionError("it never answers")


def _window(end: datetime) -> Window:
    return Window(start=end, end=end)


def with_broken(failure: BaseException | None) -> Callable[[Path, SettableClock], Toolbox]:
    def build(folder: Path, clock: SettableClock) -> Toolbox:
        box = bench_toolbox(folder, clock)
        return replace(box, connectors=(*box.connectors, Broken(failure)))

    return build


FAILURES = [
    pytest.param(Unavailable("connection refused"), "Broken metrics: connection refused", id="dead"),
    pytest.param(NeedsReauthorisation("the key was refused"), "Broken metrics: the key was refused", id="refused"),
    pytest.param(None, "Broken metrics did not answer within", id="late"),
    pytest.param(KeyError("canary"), "Broken metrics failed inside Autoheal (reference ", id="our bug"),
]


@pytest.mark.parametrize(("failure", "gap"), FAILURES)
async def test_a_failing_source_is_a_gap_of_the_verdict_and_the_others_are_read(
    rig_of: RigOf, monkeypatch: pytest.MonkeyPatch, failure: BaseException | None, gap: str
) -> None:
    monkeypatch.setattr(telemetry, "_SOURCE_TIMEOUT_S", 0.05)
    rig = rig_of(toolbox=with_broken(failure))
    verdict = await rig.verdict(await rig.ask())
    assert verdict.cause is not None
    assert any(gap in known for known in verdict.not_known), verdict.not_known
    assert "canary" not in verdict.model_dump_json()


async def test_what_is_not_connected_is_named(rig: Rig) -> None:
    verdict = await rig.verdict(await rig.ask())
    assert set(verdict.not_known) >= {"logs not connected", "changes not connected", "traces not connected"}


async def test_nothing_connected_reads_nothing_and_raises_nothing(rig: Rig) -> None:
    gathered = await gather(Toolbox(), _window(rig.clock()))
    assert (gathered.series, gathered.logs, gathered.changes, gathered.gaps) == ((), (), (), ())


def with_traces(folder: Path, clock: SettableClock) -> Toolbox:
    box = bench_toolbox(folder, clock)
    return replace(box, connectors=(*box.connectors, BenchTraces()))


async def test_traces_that_are_connected_are_not_called_missing(rig_of: RigOf) -> None:
    rig = rig_of(toolbox=with_traces)
    verdict = await rig.verdict(await rig.ask())
    assert "logs not connected" in verdict.not_known
    assert not any("traces" in gap for gap in verdict.not_known)


async def test_spans_of_all_sources_are_read_as_one(rig: Rig) -> None:
    end = rig.clock()
    window = Window(start=end - timedelta(minutes=5), end=end)
    one, two = BenchTraces(), BenchTraces(gaps=("a part was not read",))
    toolbox = Toolbox(connectors=(one, two))
    assert "traces" not in toolbox.missing()
    assert toolbox.sources() == ["Bench traces", "Bench traces"]
    gathered = await gather(toolbox, window)
    assert gathered.gaps == ("a part was not read",)
    assert gathered.spans is not None
    assert gathered.spans.ts.size == 2 * 3 * 300
    assert gathered.spans.services == ("checkout", "payments")
    assert (await gather(toolbox, window, traces=False)).spans is None
    assert (one.reads, two.reads) == (1, 1)
    assert (await gather(Toolbox(), window)).spans is None


async def test_a_dead_source_of_traces_is_a_gap(rig: Rig) -> None:
    toolbox = Toolbox(connectors=(BrokenTraces(Unavailable("connection refused")), BenchTraces()))
    end = rig.clock()
    gathered = await gather(toolbox, Window(start=end - timedelta(minutes=1), end=end))
    assert gathered.gaps == ("Broken traces: connection refused",)
    assert gathered.spans is not None


def test_a_stack_trace_is_one_event(rig: Rig) -> None:
    at = rig.clock()
    texts = (
        "payment failed: ValueError",
        "Traceback (most recent call last):",
        '  File "app.py", line 3',
        "ValueError: x",
    )
    lines = [
        LogLine(time=at + timedelta(milliseconds=place), service="checkout", level="error", text=text)
        for place, text in enumerate((*texts, "order placed"))
    ]
    window = Window(start=at, end=at + timedelta(minutes=1))
    found = Gathered(window=window, series=(), logs=(lines,), changes=(), gaps=()).lines
    assert [line.text for line in found] == ["\n".join(texts), "order placed"]
