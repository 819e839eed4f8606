"""Each promise is broken on purpose, and its check says so."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text, true
from sqlalchemy.orm import with_loader_criteria

from agents import permission
from agents.connecting.outbound import EgressPolicy
from agents.permission import Permission
from bot import web_app
from bot.settings import Settings
from bot.verify import runner, site
from bot.verify.promise import discover_promises
from bot.verify.promises import p09_audit, p14_event_retention, p16_closure, p20_verification
from bot.verify.site import Site
from store import audit, inbox
from store.audit import events
from store.database import session
from store.database.engine import create_engine
from store.database.schema import AuditRow, Owned
from store.database.walls.acting import owning
from store.incidents import conversations
from store.keys import seals
from store.people import web_sessions
from store.people.users import Role
from store.secrets.redaction import Redacted, Redactor, Secret
from store.upkeep import erasure
from store.upkeep.backups import Backups

pytestmark = pytest.mark.slow

Break = Callable[[pytest.MonkeyPatch, Settings], Awaitable[None]]
BREAKS: dict[str, tuple[str, str, Break]] = {}


def breaks(promise: str, says: str) -> Callable[[Break], Break]:
    """Registers a way to break a promise, and what its check must say."""

    def register(how: Break) -> Break:
        BREAKS[f"{promise}-{how.__name__}"] = (promise, says, how)
        return how

    return register


def leak(monkeypatch: pytest.MonkeyPatch, settings: Settings, *names: str) -> None:
    """Somebody writes what was planted into a file of the data folder."""
    look = Site.look

    async def leaking(self: Site) -> None:
        (settings.data / "debug.log").write_text("".join(f"{self.canaries[name]}\n" for name in names))
        await look(self)

    monkeypatch.setattr(Site, "look", leaking)


@breaks("P1", "account e-mail lies readable")
async def an_address_in_a_file(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    leak(monkeypatch, settings, "account e-mail")


@breaks("P1", "not hashed with bcrypt")
async def a_fast_hash(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    async def fast(*_: Any) -> Secret:
        return Secret("5f4dcc3b5aa765d61d8327deb882cf99")

    monkeypatch.setattr("store.people.passwords.Passwords.hash", fast)


@breaks("P2", "API key lies readable (plain) in debug.log")
async def a_credential_in_a_log(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    leak(monkeypatch, settings, "API key")


@breaks("P2", "API key lies readable")
async def own_secrets_unknown_to_the_redactor(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """And inboxes unsealed: then the database holds it."""
    seal_json, seal = seals.TenantSeals.seal_json, seals.TenantSeals.seal

    def unredacted(self: Any, table: str, column: str, row_id: str, value: Any, **more: Any) -> bytes:
        if table in ("arrivals", "inbox"):
            return bytes(self.seal(table, column, row_id, Redacted.ours(repr(value))))
        return seal_json(self, table, column, row_id, value, **more)

    def plain(self: Any, table: str, column: str, row_id: str, words: Redacted) -> bytes:
        return b"AH1" + words.encode() if table == "inbox" else seal(self, table, column, row_id, words)

    monkeypatch.setattr(seals.TenantSeals, "seal_json", unredacted)
    monkeypatch.setattr(seals.TenantSeals, "seal", plain)


@breaks("P2", "API key lies readable")
async def arrivals_in_plain_text(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """And left where they are written down first: nowhere else, where that is a file of its own."""
    seal_json = seals.TenantSeals.seal_json

    def plain(self: Any, table: str, column: str, row_id: str, value: Any, **more: Any) -> bytes:
        if table in ("arrivals", "inbox"):
            return b"AH1" + repr(value).encode()
        return seal_json(self, table, column, row_id, value, **more)

    async def stay(*_: object) -> None:
        """Nothing is moved."""

    monkeypatch.setattr(seals.TenantSeals, "seal_json", plain)
    monkeypatch.setattr(inbox, "_move_all", stay)


@breaks("P3", "chat message lies readable")
async def chat_in_plain_text(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    seal, unseal = session.TenantSession.seal, session.TenantSession.open

    def plain(self: Any, table: str, column: str, row_id: str, words: Redacted) -> bytes:
        return b"AH1" + str(words).encode() if table == "chat_messages" else seal(self, table, column, row_id, words)

    def opened(self: Any, table: str, column: str, row_id: str, blob: bytes) -> Redacted:
        return (
            Redacted.ours(blob[3:].decode()) if table == "chat_messages" else unseal(self, table, column, row_id, blob)
        )

    monkeypatch.setattr(session.TenantSession, "seal", plain)
    monkeypatch.setattr(session.TenantSession, "open", opened)


@breaks("P3", "does not come back")
async def chat_is_not_kept(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    async def forget(*_: Any, **__: Any) -> bool:
        return True

    monkeypatch.setattr(conversations, "record_chat", forget)


@breaks("P4", "lacks")
async def events_of_another_format(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(events, "as_json", lambda event: b'{"event": 1}')


@breaks("P4", "did not reach the partition")
async def the_relay_stands_still(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    async def still(*_: Any) -> int:
        return 0

    monkeypatch.setattr(site, "relay", still)


@breaks("P5", "user agent of a session was not recorded")
async def a_session_without_a_user_agent(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    start = web_sessions.start_session

    async def bare(s: Any, user_id: Any, *, ip: str, user_agent: str, **more: Any) -> Any:
        return await start(s, user_id, ip=ip, user_agent="", **more)

    monkeypatch.setattr(web_sessions, "start_session", bare)


@breaks("P6", "a wall of the database is missing")
async def a_wall_taken_down(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    engine = create_engine(settings.maintenance_url, pool_size=1)
    sqlite = engine.dialect.name == "sqlite"
    async with owning(engine).begin() as connection:
        if sqlite:
            found = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'users' LIMIT 1"
            name = await connection.scalar(text(found))
            await connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            await connection.execute(text("ALTER TABLE users NO FORCE ROW LEVEL SECURITY"))
    await engine.dispose()
    monkeypatch.setattr("store.database.session.require_current", _allow)
    monkeypatch.setattr("bot.opening.migrate", _allow)


@breaks("P6", "reads another tenant's people")
async def sessions_without_criteria(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """The application's own wall is gone; on SQLite nothing else stands before a read."""
    every = with_loader_criteria(Owned, lambda _: true())
    monkeypatch.setattr("store.database.isolation.with_loader_criteria", lambda *_, **__: every)


@breaks("P8", "payment card's number was stored")
async def a_redactor_that_takes_nothing_out(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(Redactor, "redact", lambda _self, words: Redacted.ours(str(words)))
    monkeypatch.setattr(Redactor, "redact_json", lambda _self, value, *_: value)


@breaks("P9", "edited, and nothing shows")
async def a_verification_that_sees_nothing(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    verify = audit.verify

    async def blind(s: Any, **more: Any) -> Any:
        return dataclasses.replace(await verify(s, **more), ok=True, problem=None)

    monkeypatch.setattr(audit, "verify", blind)


@breaks("P9", "look like nothing")
async def no_alarm(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(p09_audit, "judge", lambda *_: [])


@breaks("P10", "viewers may change something")
async def viewers_connect(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setitem(permission.GRANTS, Role.VIEWER, frozenset({Permission.READ, Permission.CONNECT}))


@breaks("P7", "the session cookie is not httponly")
async def a_cookie_for_scripts(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    from starlette.responses import Response

    set_cookie = Response.set_cookie

    def open_to_scripts(self: Any, *args: Any, **options: Any) -> None:
        set_cookie(self, *args, **{**options, "httponly": False})

    monkeypatch.setattr(Response, "set_cookie", open_to_scripts)


@breaks("P11", "a stranger may read the metrics")
async def metrics_for_all(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(web_app, "_may_scrape", lambda *_: True)


@breaks("P13", "was not refused")
async def requests_to_anywhere(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(EgressPolicy, "permits_address", lambda *_: True)
    monkeypatch.setattr("bot.verify.promises.p13_egress._INSIDE", ("http://127.0.0.1:1/",))


@breaks("P14", "was not dropped")
async def events_for_ever(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    async def keep(*_: Any, **__: Any) -> int:
        return 0

    monkeypatch.setattr(p14_event_retention, "retire_events", keep)


@breaks("P12", "did not end somebody's mail")
async def an_opt_out_that_does_nothing(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    async def ignored(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr("handlers.web.api.unsubscribe.accounts.change_account", ignored)


@breaks("P15", "is not in the restored database")
async def backups_of_an_empty_database(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(conversations, "chat", _empty)


@breaks("P15", "was not deleted")
async def backups_for_ever(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(Backups, "expire", _empty)


@breaks("P16", "still hold rows of a closed tenant")
async def closing_that_forgets_a_table(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    order = erasure.deletion_order

    def shorter() -> Any:
        return (entity for entity in order() if entity is not AuditRow)

    monkeypatch.setattr(p16_closure, "deletion_order", lambda: list(order()))
    monkeypatch.setattr(erasure, "deletion_order", shorter)


@breaks("P16", "a backup brings a closed tenant back")
async def a_restore_without_the_ledger(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Nothing is shredded again: neither by the restore nor when the keyring opens."""

    async def nothing(*_: Any, **__: Any) -> int:
        return 0

    monkeypatch.setattr("store.database.keyring.Keyring.admit", nothing)
    monkeypatch.setattr("store.upkeep.backups.restoring._shred_again", nothing)


@breaks("P16", "AUTOHEAL_SHRED_MARK")
async def all_in_one_folder(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """An old copy of it fits together, and brings back whoever was closed since."""
    monkeypatch.setitem(settings.__dict__, "shred_mark", None)


@breaks("P17", "the last admin could be deleted")
async def the_last_admin_may_go(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    async def gone(*_: Any) -> None:
        return None

    monkeypatch.setattr("handlers.web.api.me.remove_user", gone)


@breaks("P20", "passes for signed")
async def signatures_nobody_checks(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(p20_verification, "check_report", lambda *_: {})


async def _allow(*_: Any, **__: Any) -> None:
    return None


async def _empty(*_: Any, **__: Any) -> list[Any]:
    return []


# With row-level security below it, the application's own wall alone may fall and the promise still holds.
HOLDS_ON_POSTGRESQL = {"P6-sessions_without_criteria"}
FIRST = {promise: case for case, (promise, _, _) in reversed(BREAKS.items())}


@pytest.mark.parametrize(
    "case", [case if case in FIRST.values() else pytest.param(case, marks=pytest.mark.slow) for case in BREAKS]
)
async def test_a_broken_promise_is_found(case: str, sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    await _is_found(case, sqlite_settings, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in BREAKS if case not in HOLDS_ON_POSTGRESQL])
async def test_a_broken_promise_is_found_on_postgresql(
    case: str, postgres_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _is_found(case, postgres_settings, monkeypatch)


async def _is_found(case: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    promise, says, how = BREAKS[case]
    with monkeypatch.context() as broken:
        await how(broken, settings)
        with_mail = settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_from": "ah@example.org"})
        report = (await runner.verify(with_mail, runner.chosen([promise])))["report"]
    (finding,) = report["findings"]
    assert finding["outcome"] == "failed"
    assert says in finding["sentence"]


def test_every_promise_that_a_program_can_prove_is_broken_here() -> None:
    attested_or_outside = {"P18", "P19"}
    assert {promise for promise, _, _ in BREAKS.values()} == set(discover_promises()) - attested_or_outside
