"""Secrets of the process and of the operator's file: not in the log, whoever writes it, and not in the store."""

import subprocess
import sys

from store.database.session import Database
from store.ids import TenantId
from store.secrets.redaction import Secret
from store.tenancy.tenants import create_tenant

SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"  # of no format that a pattern could know
PASSWORD = "blue horse over the hill"

LOGGING = f"""
import logging
from agents.durable.engine import _log_as_the_process_does
from bot.logs import log_to_stderr
from dbos._logger import init_logger
from store.secrets.redaction import Secret

log_to_stderr("DEBUG", [Secret({SIGNING!r})])
_log_as_the_process_does()
init_logger()
logging.getLogger("autoheal.test").info("signed with {SIGNING}", extra={{"given": {SIGNING!r}}})
logging.getLogger("autoheal.bolt").debug("on_message: checkout is down, says mia")
try:
    raise ValueError("checkout is down, says mia")
except ValueError as exc:
    logging.getLogger("dbos").error("Exception encountered in asynchronous workflow:", exc_info=exc)
"""


def test_the_log_holds_no_secret_and_no_content_whoever_writes_it() -> None:
    """In a process of its own: it sets the root logger up. At DEBUG, which is when libraries talk."""
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert len(lines) == 2, "one of ours and one of DBOS"
    assert all(line.startswith("{") for line in lines)
    assert SIGNING not in done.stderr
    assert "says mia" not in done.stderr
    assert "ValueError" in lines[1]


async def shown(database: Database, tenant: TenantId, text: str) -> str:
    async with database.tenant(tenant, readonly=True) as s:
        return s.redactor.redact(text)


async def test_secrets_that_the_store_does_not_hold_are_kept_out_of_it(sqlite_database: Database) -> None:
    one = await create_tenant(sqlite_database, name="One")
    other = await create_tenant(sqlite_database, name="Other")
    text = f"{SIGNING} and {PASSWORD}"
    assert await shown(sqlite_database, one, text) == text
    sqlite_database.keep_out([Secret(SIGNING)])
    sqlite_database.keep_out([Secret(PASSWORD)], tenant_id=one)
    assert await shown(sqlite_database, one, text) == "[redacted:own_secret] and [redacted:own_secret]"
    assert await shown(sqlite_database, other, text) == f"[redacted:own_secret] and {PASSWORD}"


async def test_secrets_that_are_kept_out_stay_out_when_a_credential_is_saved(sqlite_database: Database) -> None:
    tenant = await create_tenant(sqlite_database, name="One")
    sqlite_database.keep_out([Secret(SIGNING)])
    async with sqlite_database.tenant(tenant) as s:
        await s.secrets_changed()
        assert s.redactor.redact(SIGNING) == "[redacted:own_secret]"
    assert await shown(sqlite_database, tenant, SIGNING) == "[redacted:own_secret]"
