"""Settings of a deployment on each database, for `autoheal verify`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.settings import Settings
from store.database.migrations import migrate, migrate_keyring
from tests.conftest import postgres_programs


@pytest.fixture
def sqlite_settings(sqlite_place: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The databases are copies of migrated ones, under the names that a data folder has."""
    folder = Path(sqlite_place.key_file).parent
    (folder / "store.db").rename(folder / "autoheal.db")
    return _settings(monkeypatch, folder)


@pytest.fixture
def postgres_settings(postgres_place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """As by default on PostgreSQL: the keyring is a file."""
    found = _settings(
        monkeypatch, tmp_path / "data", database_url=postgres_place.url, postgres_programs=postgres_programs()[0]
    )
    found.data.mkdir()
    asyncio.run(migrate_keyring(found.keys_url))
    yield found
    asyncio.run(migrate(postgres_place.url))  # a test may have taken a wall down; the database is every test's


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Each test that asks for it runs on both databases."""
    found: Settings = request.getfixturevalue(f"{request.param}_settings")
    return found


def _settings(monkeypatch: pytest.MonkeyPatch, data: Path, **values: Any) -> Settings:
    for variable in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    return Settings(data=data, shred_mark=data.parent / "shred-mark.json", web=True, **values)
