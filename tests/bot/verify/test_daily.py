"""The day's verification: when it is due, and what is told of it."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.opening import open_database
from bot.settings import Settings
from bot.upkeep import event_days
from bot.verify.daily import DailyVerification
from bot.verify.reports import name_of, newest_report, path_of, times
from store.audit import events
from store.tenancy.tenants import create_tenant

ROOT = Path(__file__).resolve().parents[3]


def test_reports_are_named_by_their_time(tmp_path: Path) -> None:
    at = datetime(2026, 11, 5, 2, 41, 7, tzinfo=UTC)
    for name in (name_of(at), name_of(at + timedelta(hours=3)), "notes.json", "badZ.json"):
        (tmp_path / name).touch()
    assert times(tmp_path) == [at, at + timedelta(hours=3)]
    assert newest_report(tmp_path / "missing") is None


async def test_a_young_report_leaves_nothing_to_do(sqlite_settings: Settings) -> None:
    now = datetime.now(UTC)
    path_of(sqlite_settings).mkdir(parents=True)
    (path_of(sqlite_settings) / name_of(now - timedelta(hours=23))).touch()
    daily = DailyVerification(settings=sqlite_settings, db=None, clock=lambda: now)  # type: ignore[arg-type] # not asked
    assert await daily.keep() is None


@pytest.mark.slow
async def test_what_is_due_is_verified_in_a_process_and_recorded_for_each_tenant(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    kept: dict[str, Any] = {k: v for k, v in os.environ.items() if not k.startswith(("AUTOHEAL_", "SLACK_"))}
    environment = {
        **kept,
        "AUTOHEAL_DATA": str(sqlite_settings.data),
        "AUTOHEAL_SHRED_MARK": str(sqlite_settings.shred_mark),
        "PYTHONPATH": str(ROOT),
    }
    async with open_database(sqlite_settings) as (db, _):
        tenant = await create_tenant(db, name="Acme")
        daily = DailyVerification(
            settings=sqlite_settings, db=db, clock=lambda: datetime.now(UTC), environment=environment
        )
        counts = await daily.keep()
        assert counts is not None
        assert (counts["failed"], counts["proved"] >= 14) == (0, True)
        async with event_days(sqlite_settings) as days:
            now = datetime.now(UTC)
            hour = timedelta(hours=1)
            told = [event async for event in events.stream(db, tenant, now - hour, now + hour, days=days)]
    assert [event.get_type() for event in told] == ["ai.autoheal.verification.finished.v1"]
    (report,) = path_of(sqlite_settings).glob("*.json")
    assert json.loads(report.read_text())["report"]["cleaned_up"]
