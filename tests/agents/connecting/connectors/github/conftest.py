"""A GitHub that answers as a test tells it, connected; every request is held against GitHub's own description, where
../shared is there.
"""

import ipaddress
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.github import GitHub, GitHubConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from store.secrets.redaction import Secret
from tests.fakes.github import REPOSITORY, TOKEN, FakeGitHub, fake_github
from tests.fakes.openapi import Description

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD, NEW = "a" * 40, "b" * 40
R = f"/repos/{REPOSITORY}"
SERVICES = (Service(name="checkout", repository=REPOSITORY), Service(name="payments", repository=REPOSITORY))


@cache
def _description(file: Path) -> Description:
    return Description(file)


@pytest.fixture
async def github() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as fake:
        yield fake


@pytest.fixture
def documented(github: FakeGitHub) -> Iterator[None]:
    """After each test: nothing was asked or answered that GitHub does not document."""
    yield
    file = Path(__file__).resolve().parents[6] / "shared" / "specs" / "github.json.gz"
    if not file.exists():
        return
    description = _description(file)
    for asked in github.asked:
        assert description.problems(asked) == []
        assert asked.headers["x-github-api-version"] == "2022-11-28"
    for asked, code, document in github.given:
        if code == 200 and isinstance(document, dict | list) and "malformed" not in str(document):
            assert description.answer_problems(asked, code, document) == []


class Ticking:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(github: FakeGitHub, ticking: Ticking, documented: None) -> AsyncIterator[Callable[..., GitHub]]:
    loopback = EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))
    outbound = Outbound(loopback, sleep=_no_pause)

    def make(
        *, credentials: dict[str, str] | None = None, services: tuple[Service, ...] = SERVICES, **config: Any
    ) -> GitHub:
        secrets = {name: Secret(value) for name, value in (credentials or {"token": TOKEN}).items()}
        context = ConnectorContext(services=services, outbound=outbound, now=ticking, credentials=secrets)
        return GitHub(GitHubConfig(api=github.url, **{"repositories": (REPOSITORY,), **config}), context)

    yield make
    await outbound.close()
