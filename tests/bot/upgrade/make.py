"""Makes the data folder that every later version must open: `PYTHONPATH=.:tests python tests/bot/upgrade/make.py FILE`.

The process serves a local workspace with the product's own code, sets its clock on a few hours after each incident,
and is killed while one investigation runs and one card waits. It is kept as a record and not run again: a folder that
today's code makes says nothing of yesterday's. `first.tar.xz` was made at commit e469693.
"""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

from bot.demo.workspace import StoredMessage, Workspace
from bot.manifest import load_manifest
from bot.master_keys import open_master_keys
from bot.settings import Settings
from bot.web_side import open_account_keys
from store.people.accounts import create_account
from store.people.api_tokens import create_token
from store.people.passwords import Passwords
from store.people.users import Role, ensure_user
from store.secrets.redaction import Secret
from store.tenancy.connections import save_connection
from store.tenancy.tenants import list_tenants
from tests.bot.served import store_of
from tests.bot.upgrade.estate import (
    PAST,
    RUNNING,
    WAITING,
    Investigator,
    dump,
    effects,
    fall_ill,
    make_target,
    served,
    settings_for,
)

BEGIN = datetime(2026, 11, 1, 9, tzinfo=UTC)
STEP = timedelta(hours=7)
PAST_INCIDENTS = 50
CHANNEL = "#incidents"
ENDS = (
    *("approve", "approve", "reject", "stays ill", "nobody knows"),
    *("approve", "our own fault", "stop", "wait", "approve"),
)


def card(workspace: Workspace, thread: str) -> StoredMessage | None:
    """The message in the thread that has an Approve button."""
    found = [m for m in workspace.messages(CHANNEL, thread) if '"approve"' in json.dumps(m.all_blocks)]
    return found[-1] if found else None


async def incident(workspace: Workspace, target: Path, model: Investigator, number: int) -> None:
    """One of the past, to its end."""
    end = ENDS[number % len(ENDS)]
    fall_ill(target, for_good=end == "stays ill")
    words = {"stop": RUNNING, "nobody knows": "nobody knows what it is", "our own fault": "our own fault"}
    text = f"@autoheal {words.get(end, PAST)}, case {number}"
    thread = await workspace.post("mia", CHANNEL, text)

    def said(*words: str) -> bool:
        texts = [json.dumps([m.text, m.all_blocks]) for m in workspace.messages(CHANNEL, thread)]
        return any(word in text for text in texts[1:] for word in words)

    if end in ("nobody knows", "our own fault"):
        await workspace.wait_for(lambda _: said("No confident cause", "Failed:"), timeout=120)
    elif end == "stop":
        await asyncio.wait_for(model.hanging.wait(), 60)
        await workspace.post("mia", CHANNEL, "@autoheal stop", thread)
        await workspace.wait_for(lambda _: said("Stopped"), timeout=120)
        model.hanging.clear()
    else:
        shown = await workspace.wait_for(lambda w: card(w, thread), timeout=120)
        if end == "reject":
            await workspace.click("mia", shown.ts, "reject")
            await workspace.wait_for(lambda _: said("Rejected"), timeout=120)
        elif end != "wait":
            before = len(effects(target))
            await workspace.click("mia", shown.ts, "approve")
            await workspace.wait_for(lambda _: said(" recovered at ", "Not healed"), timeout=120)
            assert len(effects(target)) == before + 1
    await asyncio.sleep(0.5)


async def make(folder: Path) -> None:
    """Serves, lives through the past, and is killed."""
    data, target = folder / "data", folder / "target"
    make_target(target)
    workspace, model = Workspace(load_manifest()), Investigator()
    with time_machine.travel(BEGIN, tick=True) as clock:
        await workspace.start()
        async with served(data, target, workspace, model):
            for number in range(PAST_INCIDENTS):
                await incident(workspace, target, model, number)
                clock.shift(STEP)
            await connect(data, settings_for(data, workspace))
            fall_ill(target)
            thread = await workspace.post("mia", CHANNEL, f"@autoheal {WAITING}")
            await workspace.wait_for(lambda w: card(w, thread), timeout=120)
            await workspace.post("raj", CHANNEL, f"@autoheal {RUNNING}")
            await asyncio.wait_for(model.hanging.wait(), 60)
            await asyncio.sleep(5)  # what is told and relayed in passing is on disk as well
            (folder / "workspace.json").write_text(dump(workspace))
            (folder / "killed-at").write_text(datetime.now(UTC).isoformat())
            os.kill(os.getpid(), signal.SIGKILL)


async def connect(data: Path, settings: Settings) -> None:
    """A connection, an account and its token."""
    async with store_of(data) as store, open_master_keys(settings) as keys:
        (tenant,) = await list_tenants(store)
        account_keys = await open_account_keys(settings, keys)
        hashed = await Passwords(account_keys.pepper).hash(Secret("correct horse battery staple"))
        async with store.tenant(tenant.id) as s:
            olga = await ensure_user(s, slack_user_id="U0OLGA", role=Role.ADMIN)
            await save_connection(
                s,
                connector="prometheus",
                config={"url": "https://prometheus.example.com"},
                credentials={"token": Secret("planted-connection-token-3f1c")},
                scopes=("read",),
                consented_by=olga.id,
            )
            await create_account(
                s,
                account_keys,
                user_id=olga.id,
                email="olga@example.com",
                first_name="Olga",
                last_name="Ode",
                password_hash=hashed,
            )
            await create_token(s, olga.id, name="kept", scopes=("read",), lifetime=timedelta(days=90))


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="autoheal-upgrade-") as name:
        folder = Path(name)
        child = subprocess.run([sys.executable, __file__, "--in", str(folder)], check=False)
        assert child.returncode == -signal.SIGKILL, child.returncode
        for path in folder.rglob("*.db"):  # the logs hold everything twice
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with tarfile.open(out, "w:xz", preset=9) as packed:
            for path in sorted(folder.rglob("*")):
                packed.add(path, arcname=str(path.relative_to(folder)), recursive=False)


if __name__ == "__main__":
    if sys.argv[1] == "--in":
        asyncio.run(make(Path(sys.argv[2])))
    else:
        main(Path(sys.argv[1]))
