"""An export holds everything of one tenant, no secret, and nothing of another; it is streamed."""

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import LargeBinary

from store import audit
from store.audit import events
from store.audit.event_days import EventDays, open_event_days
from store.audit.event_relay import relay
from store.database.schema import Base, ChatMessageRow, Owned
from store.database.session import Database, TenantSession
from store.errors import CorruptEnvelope, UnknownTenant
from store.ids import TenantId, new_id
from store.incidents.conversations import conversation
from store.secrets.redaction import Redacted, Secret
from store.upkeep import erasure
from store.upkeep.export import ELSEWHERE, TABLES, export_csv, export_json, registry
from tests.conftest import past_the_walls
from tests.store.one_of_each import SHARED_ID, a_row, plain

TwoTenants = tuple[TenantId, TenantId]


@pytest.fixture
async def days(store_place: Any, clock: Any) -> AsyncIterator[EventDays]:
    opened = open_event_days(store_place.url, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def filled(database: Database, two_tenants: TwoTenants) -> TwoTenants:
    """Both tenants have a row of each table under the same id; each column says where it is and whose."""
    for tenant_id, owner in zip(two_tenants, ("Acme", "Globex"), strict=True):
        async with database.tenant(tenant_id, readonly=True) as s:
            rows = [(plain(Base.metadata.tables[table.name]), sealed_row(s, table, owner)) for table in in_order()]
        async with past_the_walls(database) as connection:
            for table, row in rows:
                await connection.execute(table.insert(), row)
    return two_tenants


def in_order() -> list[registry.Exported]:
    by_name = {table.name: table for table in TABLES}
    return [by_name[table.name] for table in Base.metadata.sorted_tables if table.name in by_name]


def sealed_row(s: TenantSession, table: registry.Exported, owner: str) -> dict[str, Any]:
    row: dict[str, Any] = {"tenant_id": s.tenant_id, "id": SHARED_ID}
    row |= a_row(plain(Base.metadata.tables[table.name]), owner, text=f"{table.name}-of-{owner}")
    for column, how in table.sealed.items():
        said = f"{table.name} {column} of {owner}"
        if how is registry._text:
            row[column] = s.seal(table.name, column, SHARED_ID, Redacted.ours(said))
        elif how is registry._personal:
            row[column] = s.seal_secret(table.name, column, SHARED_ID, Secret(said))
        else:
            row[column] = s.seal_json(table.name, column, SHARED_ID, {"said": said})
    columns = plain(Base.metadata.tables[table.name]).columns
    for column in table.kept_back:
        if isinstance(columns[column].type, LargeBinary):
            row[column] = s.seal_secret(table.name, column, SHARED_ID, Secret(f"SECRET-{table.name}-{column}"))
        elif column != "secrets_version":
            row[column] = f"SECRET-{table.name}-{column}-{owner}"
    return row


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


def unpacked(archive: bytes) -> dict[str, list[dict[str, str]]]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        texts = {name.removesuffix(".csv"): opened.read(name).decode() for name in opened.namelist()}
    assert all(text.endswith("\r\n") for text in texts.values())
    return {name: list(csv.DictReader(io.StringIO(text, newline=""))) for name, text in texts.items()}


def test_every_table_and_column_of_a_tenant_is_exported_or_kept_back_with_a_reason() -> None:
    owned = {mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Owned)}
    assert {table.entity for table in TABLES} | set(ELSEWHERE) == owned
    assert len({table.entity for table in TABLES}) == len(TABLES)
    for table in TABLES:
        named = [*table.plain.split(), *table.sealed, *table.kept_back, "tenant_id", "id"]
        there = plain(Base.metadata.tables[table.name]).columns
        assert sorted(named) == sorted(there.keys()), table.name
        for column in table.plain.split():
            assert not isinstance(there[column].type, LargeBinary) or "hash" in column, f"{table.name}.{column}"
        assert all(len(why) > 10 for why in table.kept_back.values())


async def test_an_export_holds_every_column_of_its_tenant_and_no_secret(
    database: Database, filled: TwoTenants, days: EventDays
) -> None:
    acme, _ = filled
    as_json = await whole(export_json(database, acme, days=days))
    told = json.loads(as_json)
    archive = unpacked(await whole(export_csv(database, acme, days=days)))
    assert told["tenant"]["name"] == archive["tenant"][0]["name"] == "Acme"
    for table in TABLES:
        in_json = {row["id"]: row for row in told["tables"][table.name]}[SHARED_ID]
        in_csv = {row["id"]: row for row in archive[table.name]}[SHARED_ID]
        assert list(in_json) == list(in_csv) == table.columns
        for column in table.sealed:
            assert f"{table.name} {column} of Acme" in str(in_json[column])
            assert f"{table.name} {column} of Acme" in in_csv[column]
    for text in (as_json.decode(), str(archive)):
        assert "SECRET-" not in text
        assert "Globex" not in text
    assert told["kept_back"] == {row["what"]: row["why"] for row in archive["kept_back"]}
    assert "connections.credentials" in told["kept_back"]


async def test_events_are_exported_from_the_outbox_and_from_their_days(
    database: Database, two_tenants: TwoTenants, days: EventDays
) -> None:
    acme, globex = two_tenants
    for tenant in (acme, globex):
        async with database.tenant(tenant) as s:
            await events.emit(s, "ai.autoheal.app.installed.v1", "slack", {"n": 1}, actor=audit.SYSTEM)
    await relay(database, days)
    async with database.tenant(acme) as s:
        await events.emit(s, "ai.autoheal.app.uninstalled.v1", "slack", {"n": 2})
    told = json.loads(await whole(export_json(database, acme, days=days)))["tables"]["events"]
    assert [(event["type"], event["data"]["n"]) for event in told] == [
        ("ai.autoheal.app.installed.v1", 1),
        ("ai.autoheal.app.uninstalled.v1", 2),
    ]
    archive = unpacked(await whole(export_csv(database, acme, days=days)))
    assert [json.loads(event["data"])["n"] for event in archive["events"]] == [1, 2]


async def test_a_large_table_is_read_page_by_page(database: Database, two_tenants: TwoTenants, days: EventDays) -> None:
    acme, _ = two_tenants
    async with database.tenant(acme) as s:
        thread = await conversation(s, channel_id="C0", thread_ts="1.1")
        assert thread is not None
        for number in range(120):
            row_id = new_id()
            text = s.seal("chat_messages", "text", row_id, Redacted.ours(f"{number} " + "x" * 2000))
            row = ChatMessageRow(
                id=row_id,
                conversation_id=thread.id,
                slack_ts=f"2.{number}",
                kind="reply",
                text=text,
                recorded_at=s.now(),
            )
            await s.insert(row)
    pieces = [piece async for piece in export_json(database, acme, days=days)]
    told = json.loads(b"".join(pieces))["tables"]["chat_messages"]
    assert [row["text"].split()[0] for row in told] == [str(number) for number in range(120)]
    assert max(map(len, pieces)) < 60 * 2500
    rows = unpacked(await whole(export_csv(database, acme, days=days)))["chat_messages"]
    assert len(rows) == 120


async def test_no_cell_begins_a_formula(database: Database, two_tenants: TwoTenants, days: EventDays) -> None:
    acme, _ = two_tenants
    beginnings = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "plain")
    async with database.tenant(acme) as s:
        thread = await conversation(s, channel_id="C0", thread_ts="1.1")
        assert thread is not None
        for number, text in enumerate(beginnings):
            row_id = new_id()
            body = s.seal("chat_messages", "text", row_id, Redacted.ours(text + ' "quoted", and\nmore'))
            row = ChatMessageRow(
                id=row_id, conversation_id=thread.id, slack_ts=f"2.{number}", kind="x", text=body, recorded_at=s.now()
            )
            await s.insert(row)
    rows = unpacked(await whole(export_csv(database, acme, days=days)))["chat_messages"]
    for row, text in zip(rows, beginnings, strict=True):
        assert row["text"] == ("" if text == "plain" else "'") + text + ' "quoted", and\nmore'


async def test_a_frozen_tenant_can_still_be_exported_and_an_unknown_one_not(
    database: Database, two_tenants: TwoTenants, days: EventDays
) -> None:
    acme, _ = two_tenants
    await erasure.freeze(database, acme, actor=audit.SYSTEM)
    told = json.loads(await whole(export_json(database, acme, days=days)))
    assert told["tables"]["tenant_heads"][0]["status"] == "frozen"
    with pytest.raises(UnknownTenant):
        await whole(export_json(database, TenantId(new_id()), days=days))
    with pytest.raises(UnknownTenant):
        await whole(export_csv(database, TenantId(new_id()), days=days))


async def test_an_export_does_not_pass_over_a_row_that_it_cannot_read(
    database: Database, filled: TwoTenants, days: EventDays
) -> None:
    table = plain(Base.metadata.tables["incidents"])
    async with past_the_walls(database) as connection:
        await connection.execute(table.update().values(title=b"no envelope"))
    with pytest.raises(CorruptEnvelope):
        await whole(export_json(database, filled[0], days=days))
