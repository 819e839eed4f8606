"""Calls that are made together read the sources once; later ones read afresh."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agents.connector import Check, Connector, ConnectorConfig, SeriesRead
from agents.evidence.types import Window
from agents.evidence_pool import EvidencePool
from agents.investigation_tools import InvestigationTools, StoredResult, WindowArguments
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
