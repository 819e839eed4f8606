"""SIGTERM ends the process within ten seconds in every state, also where its event loop is blocked.

The signal is seen by a thread of its own: a handler in the loop would wait behind whatever holds the loop. The orderly
end has its time; then the process ends hard, which loses nothing: what is unfinished goes on at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from datetime import timedelta
from types import FrameType
from typing import Final

log = logging.getLogger("autoheal.stopping")

END_WITHIN: Final = timedelta(seconds=9.5)
FORCED: Final = 75
"""Exit code of an end that took too long: something was stuck, the log says so, and a new start helps."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Install it in the main thread, inside the running loop. `asked` is set at the first signal."""

    def __init__(self, *, within: timedelta = END_WITHIN) -> None:
        self.asked = asyncio.Event()
        self._within = within
        self._loop = asyncio.get_running_loop()
        self.is_orderly = False  # everything is closed; only threads may still hold the process

    def install(self) -> None:
        """From here on SIGINT and SIGTERM ask for an orderly end."""
        told, tell = socket.socketpair()
        tell.setblocking(False)
        for number in _SIGNALS:
            signal.signal(number, _ignored)
        signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(told, tell), name="stopping", daemon=True).start()

    def ask(self) -> None:
        """As a signal does."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the end is under way
            self._loop.call_soon_threadsafe(self.asked.set)
        threading.Thread(target=self._end_hard, name="end", daemon=True).start()

    def _watch(self, told: socket.socket, _tell: socket.socket) -> None:
        while not any(number in _SIGNALS for number in told.recv(64)):
            pass
        self.ask()

    def _end_hard(self) -> None:
        time.sleep(self._within.total_seconds())
        if self.is_orderly:
            os._exit(0)
        log.critical(
            "the orderly end took too long: this process ends now, and its work goes on at the next start",
            extra={"action": "serve.forced"},
        )
        logging.shutdown()
        os._exit(FORCED)


def _ignored(_number: int, _frame: FrameType | None) -> None:
    """The signal's number is on its way to the watching thread; without a handler Python would end here."""
