"""Real contexts for connectors: an outbound client that may reach loopback, and a clock that a test sets."""

import ipaddress
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.outbound import EgressPolicy, Outbound
from store.secrets.redaction import Secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    client = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    yield client
    await client.close()


@pytest.fixture
def context_of(clock: Clock, outbound: Outbound) -> Callable[..., ConnectorContext]:
    def build(
        *names: str, now: Callable[[], datetime] = clock, credentials: dict[str, Secret] | None = None
    ) -> ConnectorContext:
        return ConnectorContext(
            services=tuple(Service(name=name) for name in names),
            outbound=outbound,
            now=now,
            credentials=credentials or {},
        )

    return build
