"""Calls that are not quite right: names that were just missed, tools that do not exist, answers that take too long."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes.bench import BenchMetrics, bench_toolbox
from fakes.rig import Rig
from fakes.scripted_model import call, say
from pydantic import Field

from agents.connecting.toolbox import Toolbox
from agents.models.model import Block, TurnRequest
from agents.tool import Arguments, ToolOutput, tool

RigOf = Callable[..., Rig]


class SlowArguments(Arguments):
    service: str | None = None
    minutes: int = Field(default=60, ge=1)


class SlowMetrics(BenchMetrics):
    """Its own tool never answers."""

    name = "slow"

    @tool(timeout_s=0.05)
    async def slow_read(self, arguments: SlowArguments) -> ToolOutput:
        """Reads for ever."""
        await asyncio.sleep(60)
        return ToolOutput(text="", summary="")


def slow_toolbox(folder: Path, now: Any) -> Toolbox:
    box = bench_toolbox(folder, now)
    return Toolbox(
        connectors=(SlowMetrics(folder, box.connectors[0].context), *box.connectors[1:]), services=box.services
    )


async def told(rig_of: RigOf, *calls: tuple[str, dict[str, Any]], **parts: Any) -> list[tuple[str, dict[str, Any]]]:
    def script(_request: TurnRequest, turn: int) -> list[Block]:
        return [call(0, n, name, given) for n, (name, given) in enumerate(calls)] if turn == 0 else [say("done")]

    rig = rig_of(script=script, **parts)
    case = await rig.case(await rig.ask())
    return [(str(one.text), dict(one.arguments)) for one in sorted(case.artifacts, key=lambda a: a.tool_use_id)]


async def test_a_name_that_was_just_missed_is_taken_and_stored_as_it_was_meant(rig_of: RigOf) -> None:
    ((text, arguments),) = await told(rig_of, ("rank_causes", {"minute": 5, "symptomService": "checkout"}))
    assert "symptom" in text
    assert arguments == {"minutes": 5, "symptom_service": "checkout"}


async def test_a_wrong_name_is_told_the_right_one(rig_of: RigOf) -> None:
    found = await told(rig_of, ("rank_cause", {}), ("log_groups", {"svc": "checkout"}), ("metric_window", {"svc": "x"}))
    assert "did you mean rank_causes?" in found[0][0]
    assert "there is no tool" in found[1][0]
    assert "svc is no argument; did you mean service?" in found[2][0]


async def test_a_time_out_names_the_narrower_call(rig_of: RigOf) -> None:
    ((text, _),) = await told(rig_of, ("slow_read", {}), toolbox=slow_toolbox)
    assert text.endswith("Ask for less: slow_read(service=..., minutes=15).")
