"""The operator's commands for the audit log and the events."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat

from bot.cli import main
from bot.opening import open_database
from bot.settings import load_settings
from bot.upkeep import Upkeep, event_days, open_upkeep
from handlers.slack.notices import Notices
from store import audit
from store.audit import events
from store.audit.event_relay import relay
from store.ids import TenantId
from store.people.users import Role, ensure_user
from store.tenancy import tenants
from store.tenancy.tenants import create_tenant

Said = pytest.CaptureFixture[str]


class Delivery:
    """Remembers what was posted, once per key."""

    def __init__(self) -> None:
        self.posted: dict[str, tuple[str, str]] = {}

    async def post(self, _tenant: TenantId, *, key: str, channel: str, message: Any, **_: Any) -> str:
        self.posted.setdefault(key, (channel, message.text))
        return "1.0"


@pytest.fixture
async def tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TenantId:
    """A tenant with an admin, two audited actions and two events, one of which is in its day."""
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path / "data"))
    async with open_database(load_settings()) as (db, _), event_days(load_settings()) as days:
        made = await create_tenant(db, name="Acme")
        for number in (1, 2):
            async with db.tenant(made) as s:
                await ensure_user(s, slack_user_id="U0ADMIN", role=Role.ADMIN)
                await events.emit(s, "ai.autoheal.incident.opened.v1", f"incident-{number}", {"number": number})
                await audit.record(s, actor=audit.SYSTEM, action="slack.command.used", target="x")
            if number == 1:
                await relay(db, days)
    return made


async def _upkeep(delivery: Delivery, *calls: str) -> None:
    settings = load_settings()
    async with open_database(settings) as (db, keys):
        notices = Notices(db, delivery)  # type: ignore[arg-type] # it speaks this one word
        async with open_upkeep(settings, db, keys, notices, refused=dict) as upkeep:
            for call in calls:
                await getattr(Upkeep, call)(upkeep)


async def _call(*words: str) -> int:
    return await asyncio.to_thread(main, list(words))


async def test_an_untouched_log_verifies_and_a_changed_one_ends_with_1(tenant: TenantId, capsys: Said) -> None:
    assert await _call("audit", "verify") == 0
    assert "no signed head to hold it against" in capsys.readouterr().out
    await _upkeep(Delivery(), "sign_heads")
    assert await _call("audit", "verify", "--tenant", tenant) == 0
    assert "2 entries, unbroken; held against 1 signed heads" in capsys.readouterr().out
    with sqlite3.connect(load_settings().data / "autoheal.db") as attacker:
        for (name,) in attacker.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            attacker.execute(f'DROP TRIGGER "{name}"')
        attacker.execute("DELETE FROM audit WHERE sequence = 2")
        attacker.execute("UPDATE tenant_heads SET audit_sequence = 1, audit_hash = (SELECT hash FROM audit)")
    assert await _call("audit", "verify") == 1
    assert "the end was cut off: entry 2 was signed" in capsys.readouterr().out


async def test_heads_are_checked_against_a_copy(tenant: TenantId, tmp_path: Path, capsys: Said) -> None:
    await _upkeep(Delivery(), "sign_heads")
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(load_settings().checkpoint_path.read_bytes())
    load_settings().checkpoint_path.unlink()
    assert await _call("audit", "verify", "--anchors", str(copy)) == 0
    assert "held against 1" in capsys.readouterr().out
    copy.write_text(copy.read_text().replace(tenant, tenant[::-1]))
    assert await _call("audit", "verify", "--anchors", str(copy)) == 1
    assert "forged" in capsys.readouterr().out
    assert await _call("audit", "verify", "--anchors", str(tmp_path / "none")) == 2


@pytest.mark.usefixtures("tenant")
async def test_the_public_key_is_the_same_at_each_start(capsys: Said) -> None:
    keys = set()
    for _ in range(2):
        assert await _call("audit", "key") == 0
        keys.add(capsys.readouterr().out)
    assert len(keys) == 1
    assert "BEGIN PUBLIC KEY" in keys.pop()
    assert (load_settings().data / "audit.key").stat().st_mode & 0o077 == 0


async def test_events_come_out_as_valid_lines_and_the_export_is_audited(tenant: TenantId, capfdbinary: Any) -> None:
    assert await _call("events", "export", "--tenant", tenant) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    found = [JSONFormat().read(None, line) for line in lines]
    assert [event.get_subject() for event in found] == ["incident-1", "incident-2"]
    assert {json.loads(line)["tenantid"] for line in lines} == {tenant}
    assert await _call("events", "export", "--since", "2001-01-01", "--until", "2001-02-01T00:00Z") == 0
    assert capfdbinary.readouterr().out == b""
    async with open_database(load_settings()) as (db, _), db.tenant(tenant) as s:
        assert [entry.action for entry in await audit.trail(s)][-2:] == ["operator.events.exported"] * 2


@pytest.mark.usefixtures("tenant")
@pytest.mark.parametrize("words", [["--since", "yesterday"], ["--tenant", "nobody"]])
async def test_a_wrong_call_says_what_is_meant(words: list[str], capsys: Said) -> None:
    assert await _call("events", "export", *words) == 2
    said = capsys.readouterr().err
    assert "2026-11-05" in said or "there is no tenant nobody" in said


async def test_the_signed_head_is_posted_once_a_day_where_the_tenant_wants_it(tenant: TenantId) -> None:
    delivery = Delivery()
    await _upkeep(delivery, "sign_heads")
    assert delivery.posted == {}
    async with open_database(load_settings()) as (db, _), db.tenant(tenant) as s:
        await tenants.update_settings(s, audit_channel="C0AUDIT")
    await _upkeep(delivery, "sign_heads", "sign_heads")
    today = datetime.now(UTC).date()
    assert list(delivery.posted) == [f"audit-head:{today}"]
    assert delivery.posted[f"audit-head:{today}"][0] == "C0AUDIT"
    assert "entry 2, hash" in delivery.posted[f"audit-head:{today}"][1]


async def test_admins_are_told_in_person(tenant: TenantId) -> None:
    delivery = Delivery()
    async with open_database(load_settings()) as (db, _):
        await Notices(db, delivery).tell_admins(tenant, key="alert:x", text="Something.")  # type: ignore[arg-type] # as above
    assert [channel for channel, _ in delivery.posted.values()] == ["U0ADMIN"]


@pytest.mark.usefixtures("tenant")
async def test_upkeep_forgets_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOHEAL_AUDIT_DAYS", "365")
    monkeypatch.setenv("AUTOHEAL_EVENT_DAYS", "30")
    await _upkeep(Delivery(), "retire")
    async with event_days(load_settings()) as days:
        assert len(await days.inventory()) == 15  # today and what stands ready
