"""`autoheal serve` and a PostgreSQL that comes late, restarts, and goes."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import postgres_programs

from bot.demo.workspace import Workspace
from bot.manifest import load_manifest
from tests.bot.served import Served, serving, settings_for, start

CHANNEL = "#incidents"


class Server:
    """A PostgreSQL of this test's own, started and stopped by its own program, on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs = postgres_programs()[0]
        self._user: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
        self.name = "nobody" if os.getuid() == 0 else ""

    @property
    def url(self) -> str:
        return f"postgresql://{self.name}@/autoheal?host={self.folder}"

    def create(self) -> None:
        self._run("initdb", "--auth=trust", "--no-sync", "-D", str(self.folder / "data"))
        with (self.folder / "data" / "postgresql.conf").open("a") as conf:
            conf.write(
                f"fsync=off\nshared_buffers=16MB\nlisten_addresses=''\nunix_socket_directories='{self.folder}'\n"
            )

    def start(self) -> None:
        self._run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "fast", "-D", str(self.folder / "data"), "stop")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=60,
            cwd=self.folder,
            **self._user,
        )


@pytest.fixture
def server() -> Iterator[Server]:
    if not postgres_programs():
        pytest.skip("no PostgreSQL for tests")
    with tempfile.TemporaryDirectory(prefix="autoheal-outage-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o777)
        server = Server(folder)
        server.create()
        server.start()
        with psycopg.connect(server.url.replace("/autoheal?", "/postgres?"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE autoheal")
        yield server
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    workspace = Workspace(load_manifest())
    await workspace.start()
    yield workspace
    await workspace.stop()


async def said(served: Served, words: str) -> None:
    async with asyncio.timeout(120):
        while words not in served.said:
            assert served.process.returncode is None, served.said
            await asyncio.sleep(0.1)


def answered(workspace: Workspace) -> bool:
    return any("No incident is open here." in m.text + str(m.markdown) for m in workspace.messages(CHANNEL))


@pytest.mark.slow
async def test_a_database_that_comes_late_is_waited_for_and_one_that_restarts_is_found_again(
    server: Server, workspace: Workspace, tmp_path: Path
) -> None:
    settings = settings_for(
        workspace, tmp_path / "data", AUTOHEAL_DATABASE_URL=server.url, AUTOHEAL_KEYRING_URL=server.url
    )
    migrating = await start(tmp_path / "migrate", settings, "migrate")
    assert await migrating.ends() == 0
    server.stop()
    late = await start(tmp_path / "late", settings)
    await said(late, "waiting: the database does not answer")
    assert await late.stop() == 0
    assert "Traceback" not in late.said
    server.start()
    async with serving(tmp_path / "log", settings) as served:
        server.stop()
        await said(served, "slot.away")
        server.start()
        await said(served, "slot.back")
        await workspace.post("mia", CHANNEL, "@autoheal status")
        await workspace.wait_for(answered, timeout=120)
    assert served.process.returncode == 0
    assert "Traceback" not in served.said
