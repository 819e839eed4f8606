"""`autoheal serve`: until SIGINT or SIGTERM. What is unfinished then goes on at the next start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Final

from agents.connecting.operator_file import OperatorFileError, load
from agents.durable.process_lock import ProcessLockLost, ProcessLockTaken
from bot.assemble import serving
from bot.damage import require_undamaged
from bot.logs import log_to_stderr
from bot.opening import make_data_folder
from bot.settings import Settings, SettingsError, load_settings
from bot.slack_clients import SlackNotReady
from bot.stopping import Stopping
from bot.upkeep import event_days
from bot.waiting import StillAway, when_all_answer
from store.audit.event_days import DAYS_AHEAD
from store.database.migrations import migrate, migrate_keyring
from store.errors import KeyServiceUnreachable, StoreBusy, StoreError

_SWITCH_S: Final = 0.001
"""How long a busy thread keeps the interpreter from the event loop. Python's default of 5 ms adds up over a request."""
REFUSALS: Final = (SettingsError, SlackNotReady, OperatorFileError, ProcessLockTaken, StoreError)
"""What a person can mend: said in a sentence, without a traceback."""
PASSING: Final = (ProcessLockLost, StillAway, StoreBusy, KeyServiceUnreachable)
"""What nobody has to mend here: the same command works when what is away comes back."""

_PARENT_CHECK_S: Final = 1.0


def serve() -> int:
    """Blocks. Prints one line to stdout when it is ready."""
    settings = load_settings()
    settings.require_slack()
    if settings.operator_file is not None:
        load(settings.operator_file)  # what is wrong in it is told at once, and not after a wait for Slack
    log_to_stderr(settings.log_level, settings.secrets)

    asyncio.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    stopping = Stopping()
    stopping.install()
    ready = asyncio.Event()
    lost: list[ProcessLockLost] = []

    def end(gone: ProcessLockLost) -> None:
        lost.append(gone)
        stopping.ask()

    async def work() -> None:
        async with when_all_answer(lambda: serving(settings, lost=end)) as where:
            ready.set()
            print(f"Autoheal is ready in {where}.", flush=True)  # noqa: T201 -- for the person who started it
            await stopping.asked.wait()

    watch = asyncio.create_task(_watch_parent(stopping)) if settings.stop_with_parent else None
    serve_it, asked = asyncio.create_task(work()), asyncio.create_task(stopping.asked.wait())
    try:
        await asyncio.wait({serve_it, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set() and not serve_it.done():
            serve_it.cancel()  # it may wait for a database or for Slack
        with contextlib.suppress(asyncio.CancelledError):
            await serve_it
    finally:
        asked.cancel()
        if watch is not None:
            watch.cancel()
    if lost:
        raise lost[0]
    stopping.is_orderly = True
    print("Stopped.", file=sys.stderr)  # noqa: T201 -- as above


async def _watch_parent(stopping: Stopping) -> None:
    """The demo may be killed without a chance to stop us; then nobody would."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 -- nobody tells a process that its parent ended
        await asyncio.sleep(_PARENT_CHECK_S)
    stopping.ask()


def migrate_databases() -> int:
    """Both databases to this version's schema."""
    settings = load_settings()

    async def run() -> None:
        await require_undamaged(settings)
        make_data_folder(settings)
        await migrate(settings.maintenance_url)
        await migrate_keyring(settings.keys_url)
        async with event_days(settings) as days:
            await days.ensure((datetime.now(UTC) + timedelta(days=DAYS_AHEAD)).date())

    asyncio.run(run())
    print("Both databases are at this version.")  # noqa: T201 -- for the person who ran it
    return 0
