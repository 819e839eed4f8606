"""Fixtures of the handlers' tests."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import pytest

from agents.connecting.connector import Service
from agents.connecting.toolbox import Toolbox
from store.database.session import Database
from tests.handlers.inbound import Slack, run_slack


@pytest.fixture
def toolbox() -> Toolbox:
    return Toolbox(services=(Service(name="checkout", depends_on=("payments",)), Service(name="payments")))


@pytest.fixture
async def slack(sqlite_database: Database, clock: Callable[[], datetime], toolbox: Toolbox) -> AsyncIterator[Slack]:
    async with run_slack(sqlite_database, clock, toolbox) as running:
        yield running
