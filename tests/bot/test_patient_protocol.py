"""Requests that dribble in, over a raw socket: each is answered with 408 and closed; what is merely long is served."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.patient_protocol import PatientProtocol
from bot.settings import Settings
from bot.web_app import build_web_app, serving_web

HEAD = b"POST /slack/events HTTP/1.1\r\nhost: web\r\n"


async def slack(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Listens as `serve` does, with clocks that a test can wait for."""
    monkeypatch.setattr(PatientProtocol, "headers_s", 0.2)
    monkeypatch.setattr(PatientProtocol, "body_s", 0.2)
    app = build_web_app(slack=[Route("/slack/events", slack, methods=["POST"])])
    async with serving_web(app, Settings(http_port=0)) as listening:
        yield listening


async def _answer(port: int, *parts: bytes, every_s: float = 0.0) -> bytes:
    """What the server says until it closes; `parts` go out one by one. Who still writes when it closes may be told of
    that by a reset, which takes what was said with it.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = bytearray()

    async def listen() -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                said.extend(chunk)

    received = asyncio.create_task(listen())
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
            if every_s and (await asyncio.wait([received], timeout=every_s))[0]:
                break
    await received
    writer.close()
    return bytes(said)


async def test_headers_and_bodies_that_dribble_are_refused_and_leave_one_line_of_log(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "autoheal.web")
    slow = {
        "nothing at all": (b"",),
        "headers, a byte at a time": tuple(bytes([byte]) for byte in (HEAD + b"x-more: " + b"a" * 4000)),
        "a body, a byte at a time": (HEAD + b"content-length: 4000\r\n\r\n", *[b"a"] * 4000),
        "a body that never comes": (HEAD + b"content-length: 10\r\n\r\n",),
        "chunks, a byte at a time": (HEAD + b"transfer-encoding: chunked\r\n\r\n", *[b"1\r\na\r\n"] * 4000),
        "a second request on the connection": (
            HEAD + b"content-length: 2\r\n\r\nok" + b"POST /slack",
            *[b"a"] * 4000,
        ),
    }
    answers = dict(
        zip(slow, await asyncio.gather(*(_answer(port, *parts, every_s=0.02) for parts in slow.values())), strict=True)
    )
    for name, said in answers.items():
        silent = len(slow[name]) == 1
        assert b"408 Request Timeout" in said or not silent, name
    lines = [record for record in caplog.records if getattr(record, "action", "") == "web.too_slow"]
    assert len(lines) == len(slow)
    assert all(record.levelno <= logging.INFO for record in caplog.records)


async def test_a_large_body_that_comes_at_once_and_a_kept_connection_are_served(port: int) -> None:
    body = b"a" * 1_000_000
    ask = HEAD + f"content-length: {len(body)}\r\n\r\n".encode() + body
    last = HEAD + b"connection: close\r\ncontent-length: 2\r\n\r\nok"
    said = await _answer(port, ask, ask + last)
    assert said.count(b"1000000 bytes") == 2
    assert said.endswith(b"2 bytes")
