"""The API over a real store, called as browsers and programs call it. Its people are made once and copied."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from store.database.session import Database
from store.ids import TenantId, UserId
from tests.conftest import Clock, StorePlace, open_store, seed_tenant
from tests.handlers.web.api.api import Api, make_people, serve_api


@dataclass(frozen=True, kw_only=True)
class Peopled:
    """A folder with a store of two tenants; the first has an admin, a member and a viewer with accounts."""

    folder: Path
    tenants: tuple[TenantId, TenantId]
    people: tuple[UserId, UserId, UserId]


def _place(folder: Path) -> StorePlace:
    return StorePlace(
        url=f"sqlite:///{folder / 'store.db'}",
        keyring_url=f"sqlite:///{folder / 'keyring.db'}",
        key_file=folder / "master.key",
    )


@pytest.fixture(scope="session")
def peopled(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Peopled:
    folder = tmp_path_factory.mktemp("peopled") / "store"
    shutil.copytree(migrated_sqlite, folder)

    async def make() -> Peopled:
        db = await open_store(_place(folder), Clock())
        tenants = (await seed_tenant(db, "Acme"), await seed_tenant(db, "Globex"))
        people = await make_people(db, tenants[0])
        await db.close()
        return Peopled(folder=folder, tenants=tenants, people=people)

    return asyncio.run(make())


@pytest.fixture
def sqlite_place(peopled: Peopled, tmp_path: Path) -> StorePlace:
    folder = tmp_path / "store"
    shutil.copytree(peopled.folder, folder)
    return _place(folder)


@pytest.fixture
def two_tenants(peopled: Peopled) -> tuple[TenantId, TenantId]:
    return peopled.tenants


@pytest.fixture
def api(sqlite_database: Database, peopled: Peopled) -> Api:
    return serve_api(sqlite_database, peopled.tenants[0], peopled.people)
