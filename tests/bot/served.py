"""`autoheal serve` as an operator runs it: a process of its own beside a local workspace."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.demo.workspace import Workspace
from store.database.session import Database
from store.keys.local_keys import LocalFileKeys

ROOT = Path(__file__).resolve().parents[2]
READY_S = 120.0
END_S = 120.0


@dataclass(kw_only=True)
class Served:
    """The running process; `said` is its log so far."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    async def ends(self) -> int:
        """Its exit code once it ended by itself."""
        return await asyncio.wait_for(self.process.wait(), END_S)

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.ends()


def settings_for(workspace: Workspace, data: Path, **more: str) -> dict[str, str]:
    """Socket Mode against a local workspace."""
    return {
        "AUTOHEAL_DATA": str(data),
        "SLACK_API_URL": workspace.api_url,
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
        **more,
    }


async def start(log: Path, settings: dict[str, str], command: str = "serve") -> Served:
    """Started, not yet ready."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AUTOHEAL_", "SLACK_", "ANTHROPIC_"))}
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            command,
            cwd=ROOT,
            env={**kept, **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    return Served(process=process, log=log)


@asynccontextmanager
async def serving(log: Path, settings: dict[str, str]) -> AsyncIterator[Served]:
    """Ready, and gone afterwards."""
    served = await start(log, settings)
    try:
        assert served.process.stdout is not None
        ready = await asyncio.wait_for(served.process.stdout.readline(), READY_S)
        assert ready, served.said
        yield served
    finally:
        with contextlib.suppress(ProcessLookupError):
            served.process.send_signal(signal.SIGTERM)
        try:
            await served.ends()
        except TimeoutError:
            served.process.kill()
            await served.process.wait()
            raise


@asynccontextmanager
async def store_of(data: Path) -> AsyncIterator[Database]:
    """The process's own store, read beside it."""
    database = await Database.open(
        f"sqlite:///{data}/autoheal.db",
        keyring_url=f"sqlite:///{data}/keyring.db",
        keys=LocalFileKeys(data / "master.key"),
    )
    try:
        yield database
    finally:
        await database.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
