"""HTTP at the edge, with a time by which a request has to have come: whoever dribbles bytes holds a connection, and for
a body also a task, for as long as they like otherwise.

One clock for the headers, from the connection or the first byte of a further request on, and one for the body. What is
too slow is answered with 408 and closed, with one line in the log. Answers take as long as they need.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger("autoheal.web")

HEADERS_S: Final = 10.0
BODY_S: Final = 30.0
_SAYS: Final = b"the request took too long to arrive"


class PatientProtocol(H11Protocol):
    """uvicorn's own protocol and the two clocks."""

    headers_s: ClassVar[float] = HEADERS_S
    body_s: ClassVar[float] = BODY_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock: asyncio.TimerHandle | None = None
        self._waits_for = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait_for("headers", self.headers_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def _look(self) -> None:
        """What is still to come of a request that has begun to come."""
        state = self.conn.their_state
        if self.transport.is_closing():
            self._stop_clock()
        elif state is h11.SEND_BODY:
            self._wait_for("body", self.body_s)
        elif state is h11.IDLE and self.conn.trailing_data[0]:
            self._wait_for("headers", self.headers_s)
        else:  # all of it is here; or nothing of the next one, for which uvicorn has its own clock
            self._stop_clock()

    def _wait_for(self, what: str, seconds: float) -> None:
        """A clock that runs for the same thing goes on: more bytes are no more time."""
        if self._waits_for != what:
            self._stop_clock()
            self._waits_for, self._clock = what, self.loop.call_later(seconds, self._give_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._waits_for, self._clock = "", None

    def _give_up(self) -> None:
        what = self._waits_for
        self._stop_clock()
        if self.transport.is_closing():
            return
        log.info("a request was too slow", extra={"action": "web.too_slow", "waited_for": what})
        answered = self.cycle is not None and not self.cycle.response_complete and self.cycle.response_started
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # whoever reads the body is told that it ends here
            self.cycle.message_event.set()
        if not answered and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            for event in (
                h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"),
                h11.Data(data=_SAYS),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
