"""Claude as the agents' tests meet it: the strict stand-in behind the real client, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from fakes.inline_engine import SettableClock
from fakes.messages_api import MessagesApi
from fakes.rig import Rig, make_rig

from agents.models.claude_model import DEFAULT_MODEL, ClaudeModel, make_client
from agents.processes.evidence_pool import EvidencePool
from store.database.session import Database
from store.ids import TenantId

ClaudeOf = Callable[..., ClaudeModel]


def allow_any_host(url: str) -> None:
    """Egress is the subject of tests of its own."""


class Naps:
    """A sleep that returns at once and remembers the seconds that were asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
async def claude_of(naps: Naps) -> AsyncIterator[ClaudeOf]:
    """`claude_of(api)` is a ClaudeModel on that MessagesApi. The client itself does not retry unless told to."""
    clients: list[anthropic.AsyncAnthropic] = []

    def build(
        api: MessagesApi,
        *,
        model: str = DEFAULT_MODEL,
        api_key: str = "sk-test",
        client_retries: int = 0,
        turn_timeout: timedelta = timedelta(seconds=20),
        **client_options: Any,
    ) -> ClaudeModel:
        wire = anthropic.DefaultAsyncHttpxClient(transport=httpx2.ASGITransport(app=api))
        options = {"check_egress": allow_any_host, "http_client": wire, **client_options}
        client = make_client(api_key=api_key, max_retries=client_retries, **options)
        clients.append(client)
        return ClaudeModel(client, model=model, turn_timeout=turn_timeout, sleep=naps)

    yield build
    for client in clients:
        await client.close()


RigOf = Callable[..., Rig]


@pytest.fixture(scope="session")
def pool() -> Iterator[EvidencePool]:
    """One worker for all tests: starting it takes a second."""
    shared = EvidencePool()
    yield shared
    shared.close()


@pytest.fixture
async def rig_of(
    _database_of_test: Database,
    two_tenants: tuple[TenantId, TenantId],
    clock: SettableClock,
    tmp_path: Path,
    pool: EvidencePool,
) -> AsyncIterator[RigOf]:
    """`rig_of(script=..., claude=..., ...)`; on both databases where the test also asks for `database`."""
    rigs: list[Rig] = []

    def build(**parts: Any) -> Rig:
        folder = tmp_path / f"bench{len(rigs)}"
        folder.mkdir()
        rigs.append(make_rig(_database_of_test, two_tenants, clock, folder, pool, **parts))
        return rigs[-1]

    yield build
    for rig in rigs:
        await rig.engine.stop()


@pytest.fixture
def rig(rig_of: RigOf) -> Rig:
    """A scripted run that ranks and proposes a restart of the bench's service."""
    return rig_of()
