"""Content is nowhere in the database's own files in plain text."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from store import audit
from store.audit import events
from store.database.schema import Base
from store.database.session import Database
from store.ids import ApprovalId, NoteId, new_id
from store.inbox import Arrival, Inbox
from store.incidents import artifacts, conversations, investigations
from store.incidents.approvals import propose
from store.secrets.redaction import Secret
from store.tenancy.connections import save_connection
from tests.conftest import past_the_walls

CANARY = "Canary-in-the-mine"


async def _write_everywhere(database: Database, case: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        said = s.redactor.redact(f"{CANARY} said")
        await conversations.record_chat(
            s, case.conversation_id, slack_ts="1.1", slack_user_id="U1", text=said, kind="mention"
        )
        await investigations.add_note(s, case.investigation_id, note_id=NoteId(new_id()), text=said, by=None)
        await investigations.append_message(s, case.investigation_id, seq=0, role="user", content=str(said))
        await investigations.save_verdict(s, case.investigation_id, {"cause": CANARY})
        await artifacts.save_artifact(
            s,
            investigation_id=case.investigation_id,
            tool_use_id="toolu_1",
            tool="read_logs",
            arguments={"pattern": CANARY},
            text=said,
            source="logs",
            facts={"line": CANARY},
        )
        await propose(
            s,
            id=ApprovalId(new_id()),
            incident_id=case.incident_id,
            investigation_id=None,
            remediation="restart_service",
            plan={"why": CANARY},
            target="checkout",
            target_version=None,
            risk="medium",
            expires_at=s.now() + timedelta(hours=1),
            preview_read_at=s.now(),
        )
        await save_connection(s, connector="git", config={"note": CANARY}, credentials={"token": Secret(CANARY)})
        await audit.record(s, actor=audit.SYSTEM, action="system.effect.started", target="x", details={"t": CANARY})
        await events.emit(s, "ai.autoheal.remediation.started.v1", "x", {"t": CANARY})
    arrival = Arrival(source="slack", external_id="Ev1", kind="mention", payload={"text": CANARY})
    await Inbox(database).record(case.tenant_id, arrival)


async def test_no_content_is_readable_in_sqlite_files(sqlite_database: Database, case: Any, sqlite_place: Any) -> None:
    await _write_everywhere(sqlite_database, case)
    folder = sqlite_place.key_file.parent
    await _assert_absent(folder)
    await sqlite_database.close()
    await _assert_absent(folder)


async def _assert_absent(folder: Path) -> None:
    files = [path for path in folder.iterdir() if path.is_file()]  # noqa: ASYNC240 - a test's few small files
    assert any(path.name.startswith("store.db") for path in files)
    for path in files:
        raw = path.read_bytes().lower()
        assert CANARY.lower().encode() not in raw, path.name
        assert CANARY.encode().hex().encode() not in raw, path.name


async def test_no_content_is_readable_in_rows(database: Database, case: Any) -> None:
    await _write_everywhere(database, case)
    seen = 0
    async with past_the_walls(database) as session:
        for table in Base.metadata.sorted_tables:
            for row in (await session.execute(text(f"SELECT * FROM {table.name}"))).all():  # noqa: S608 - our tables
                seen += 1
                shown = " ".join(bytes(v).decode("latin-1") if isinstance(v, bytes) else str(v) for v in row)
                assert CANARY not in shown, table.name
    assert seen > 20
