"""Could not look, looked and found nothing, found: told apart by what was read, and in the same words everywhere."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.bench import bench_toolbox
from fakes.inline_engine import SettableClock
from fakes.messages_api import MessagesApi, answer, call
from fakes.rig import Rig

from agents.connecting.connector import ChangesRead, Check, Connector, ConnectorConfig, Diff, LogsRead, SeriesRead
from agents.connecting.toolbox import Toolbox
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable
from agents.evidence.types import RawSeries, Window
from agents.investigation.coverage import abstention, look_back
from agents.models.offline import OfflineModel
from agents.rows import Unread
from agents.rows.stored import KEY, from_json
from agents.tool import Arguments, ToolOutput, tool
from agents.verdict import Looked
from handlers.slack.blocks.verdict import headline
from store.ids import ArtifactId, InvestigationId
from store.incidents.artifacts import Artifact, artifacts
from tests.fakes.bare_connector import BareConnector

RigOf = Callable[..., Rig]
LATE = "did not answer within 30 s"


class Source(BareConnector):
    """A source that fails as it is told to, and tells nothing unusual otherwise."""

    name = "source"
    title = "Metrics"
    config_model = ConnectorConfig

    def __init__(self, failure: Exception | None = None, samples: int = 300) -> None:
        self.failure, self.samples = failure, samples

    async def check(self) -> Check:
        return Check(ok=True, detail="")

    def answer(self) -> None:
        if self.failure is not None:
            raise self.failure


class Metrics(Source):
    async def read_series(self, window: Window, services: Any = None) -> SeriesRead:
        self.answer()
        if self.samples == 0:
            return SeriesRead(series=())
        times = window.end.timestamp() - np.arange(self.samples)[::-1].astype(np.float64)
        labels = {"service": "checkout", "code": "200"}
        name, values = "http_requests_total", np.arange(self.samples) * 20.0
        return SeriesRead(series=(RawSeries(name=name, labels=labels, kind="counter", times=times, values=values),))


class Logs(Source):
    name = "logs"
    title = "Log files"

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        self.answer()
        return LogsRead(lines=(), gaps=("checkout: app.log cannot be read",) if self.samples == 0 else ())


class Partly(Source):
    """A source whose tool answers that it found nothing, and that a part could not be read."""

    name = "partly"
    title = "Partly"

    @tool()
    async def look_up(self, arguments: Arguments) -> ToolOutput:
        """Answers nothing, but for a gap."""
        return ToolOutput(text="no matching lines", summary="0 lines", gap="checkout: app.log.1 cannot be read")


class Changes(Source):
    name = "changes"
    title = "Git"

    async def read_changes(self, window: Window, services: Any = None) -> ChangesRead:
        self.answer()
        return ChangesRead(changes=())

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        raise BadArguments("there is none")


def estate(*sources: Connector) -> Callable[[Path, SettableClock], Toolbox]:
    return lambda folder, clock: replace(bench_toolbox(folder, clock), connectors=sources)


FORBIDDEN = NeedsReauthorisation("the credential was refused (403)")
DOWN = Unavailable("connection refused")


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        pytest.param((), "I could not look: no source is connected", id="nothing connected"),
        pytest.param(
            (Metrics(DOWN), Changes(FORBIDDEN)),
            "I could not look: Metrics: connection refused; Git: the credential was refused (403)",
            id="nothing readable",
        ),
        pytest.param((Metrics(samples=0),), "I could not look: Metrics has too few samples of this time", id="empty"),
        pytest.param((Metrics(samples=3),), "I could not look: Metrics has too few samples of this time", id="young"),
        pytest.param((Logs(samples=0),), "I could not look: Log files could not be read", id="logs unreadable"),
        pytest.param(
            (Metrics(), Logs(), Changes()),
            "No fault found: I looked at Metrics, Log files and Git and found nothing",
            id="all read and quiet",
        ),
        pytest.param(
            (Metrics(), Changes(), Logs(DOWN)),
            "I looked at Metrics and Git and found nothing; Log files could not be read",
            id="quiet as far as it was read",
        ),
        pytest.param(
            (Metrics(DOWN), Changes()), "No confident cause: I looked at Git; Metrics could not be read", id="git alone"
        ),
    ],
)
async def test_a_run_without_a_cause_says_what_it_could_look_at(
    rig_of: RigOf, sources: tuple[Connector, ...], said: str
) -> None:
    rig = rig_of(toolbox=estate(*sources), offline=OfflineModel())
    verdict = await rig.verdict(await rig.ask())
    assert verdict.cause is None
    assert verdict.headline == f"{said}."
    assert headline(verdict) == said
    assert verdict.looked is not None
    assert verdict.checked == verdict.looked.read


async def test_what_a_tool_could_not_read_stands_in_what_the_model_and_the_gate_read(
    rig_of: RigOf, claude_of: Callable[..., Any]
) -> None:
    def script(body: dict[str, Any]) -> Any:
        asked = sum(m["role"] == "assistant" for m in body["messages"])
        draft = {"headline": "Nothing", "confidence": "none"}
        return answer(call("conclude", draft) if asked else call("look_up", {}))

    api = MessagesApi(script)
    rig = rig_of(toolbox=estate(Partly()), claude=claude_of(api))
    run = await rig.ask()
    await rig.verdict(run)
    assert "no matching lines\\ngap: checkout: app.log.1 cannot be read" in json.dumps(api.requests[-1])
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        (stored,) = [a for a in await artifacts(s, run) if a.tool == "look_up"]
    (row,) = from_json(stored.facts[KEY])
    assert isinstance(row, Unread)
    assert (row.part, row.reason) == (True, "checkout: app.log.1 cannot be read")


async def test_what_a_model_says_of_its_reads_counts_for_nothing(rig_of: RigOf, claude_of: Callable[..., Any]) -> None:
    draft = {"headline": "No fault found, all is well", "confidence": "none", "nothing_wrong": True}

    def script(body: dict[str, Any]) -> Any:
        ranked = any(m["role"] == "assistant" for m in body["messages"])
        return answer(call("conclude", draft) if ranked else call("rank_causes", {"minutes": 5}))

    rig = rig_of(toolbox=estate(Metrics(DOWN)), claude=claude_of(MessagesApi(script)))
    verdict = await rig.verdict(await rig.ask())
    assert verdict.headline == "I could not look: Metrics: connection refused."
    ill = rig_of(claude=claude_of(MessagesApi(script)))
    verdict = await ill.verdict(await ill.ask(ts="2.0"))
    assert verdict.headline == "No confident cause: I looked at Bench metrics."
    assert headline(verdict).startswith("No confident cause since ")


def artifact(tool: str, source: str, *, is_error: bool = False, **facts: Any) -> Artifact:
    return Artifact(
        id=ArtifactId(tool),
        investigation_id=InvestigationId("i"),
        number=1,
        tool=tool,
        tool_use_id="t",
        arguments={},
        text="text",
        source=source,
        is_error=is_error,
        facts=facts,
        taken_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


def test_one_source_read_once_is_read_and_a_refused_question_says_nothing_of_it() -> None:
    toolbox = Toolbox(connectors=(Metrics(), Logs()))
    found = look_back(
        [
            artifact("query", "source", is_error=True, gap=f"source {LATE}"),
            artifact("query", "source"),
            artifact("search_logs", "logs", is_error=True),
            artifact("fetch_more", "evidence"),
        ],
        toolbox,
        nothing_wrong=True,
    )
    assert found == Looked(read=("Metrics",), silent=(("Log files", "was not read"),), nothing_wrong=True)


def test_a_tool_that_timed_out_over_all_sources_has_looked_at_none() -> None:
    late = artifact("rank_causes", "evidence", is_error=True, gap="evidence did not answer rank_causes within 90 s")
    found = look_back([late], Toolbox(connectors=(Metrics(),)), nothing_wrong=True)
    assert abstention(found) == "I could not look: Metrics was not read"
    assert not found.nothing_wrong


def test_many_reasons_are_counted() -> None:
    looked = Looked(read=(), silent=tuple((f"S{n}", LATE) for n in range(5)))
    assert abstention(looked) == f"I could not look: S0 {LATE}; S1 {LATE}; S2 {LATE}; and 2 more"


def test_the_symptom_stands_first() -> None:
    looked = Looked(read=("Metrics",), silent=(("Jaeger", LATE), ("Git", "connection refused")))
    assert abstention(looked, " since 02:41: errors 0.3% -> 9%") == (
        "No confident cause since 02:41: errors 0.3% -> 9%; I looked at Metrics; "
        "Jaeger did not answer; Git could not be read"
    )
