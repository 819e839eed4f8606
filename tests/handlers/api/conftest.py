"""The API over a real store, called as browsers and programs call it."""

import pytest

from store.ids import TenantId
from store.session import Database
from tests.handlers.api.api import Api, open_api


@pytest.fixture
async def api(sqlite_database: Database, two_tenants: tuple[TenantId, TenantId]) -> Api:
    return await open_api(sqlite_database, two_tenants[0])
