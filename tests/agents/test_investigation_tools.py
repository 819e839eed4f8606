"""Calls that are made together read the sources once; later ones read afresh."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agents.connector import Check, Connector, ConnectorConfig, SeriesRead
from agents.evidence.types import Window
from agents.evidence_pool import EvidencePool
from agents.investigation_tools import CompareArguments, InvestigationTools, StoredResult, WindowArguments
from agents.toolbox import Toolbox


class Counting(Connector):
    """A metrics source that counts how often it is read."""

    name = "counting"
    title = "Counting metrics"
    config_model = ConnectorConfig

    def __init__(self) -> None:
        self.reads = 0

    async def check(self) -> Check:
        return Check(ok=True, detail="")

    async def read_series(self, window: Window) -> SeriesRead:
        self.reads += 1
        await asyncio.sleep(0)
        return SeriesRead(series=())


@pytest.fixture
async def pool() -> AsyncIterator[EvidencePool]:
    pool = EvidencePool()
    yield pool
    pool.close()


async def nothing_stored() -> Sequence[StoredResult]:
    return ()


async def test_calls_made_together_share_one_read_and_later_ones_read_again(pool: EvidencePool) -> None:
    moments = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    source = Counting()
    toolbox = Toolbox(connectors=(source,), services=())
    tools = InvestigationTools(toolbox=toolbox, pool=pool, now=lambda: moments[-1], stored=nothing_stored)
    await asyncio.gather(tools.rank_causes(WindowArguments()), tools.what_changed(WindowArguments()))
    assert source.reads == 1
    await tools.rank_causes(WindowArguments(minutes=20))
    assert source.reads == 2
    moments.append(moments[-1] + timedelta(seconds=30))
    await tools.rank_causes(WindowArguments())
    assert source.reads == 3


async def test_two_windows_of_the_same_length_are_compared(pool: EvidencePool) -> None:
    source = Counting()
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    tools = InvestigationTools(toolbox=Toolbox(connectors=(source,)), pool=pool, now=lambda: now, stored=nothing_stored)
    output = await tools.compare_windows(CompareArguments(minutes=10, ago_minutes=5))
    assert source.reads == 2
    assert output.text.splitlines()[0] == ("01 Mar 11:50:00 to 12:00:00 compared with 01 Mar 11:40:00 to 11:50:00, UTC")
    assert output.summary == "no indicator is worse"
