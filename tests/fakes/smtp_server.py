"""A strict mail server on loopback: commands in order, lines as RFC 5321 wants them, TLS before all that counts."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import cast


@dataclass(kw_only=True)
class SmtpServer:
    """What it took, and how it answers. `answers` replaces the answer to a recipient, one for each time."""

    certificate: ssl.SSLContext | None
    implicit: bool = False
    login: tuple[str, str] | None = None
    answers: list[str] = field(default_factory=list)
    port: int = 0
    taken: list[tuple[str, str, EmailMessage]] = field(default_factory=list)
    seen_in_clear: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    dialogues: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain = writer.transport
        self.dialogues.add(cast("asyncio.Task[None]", asyncio.current_task()))
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await _Dialogue(self, reader, writer).run()
        finally:
            writer.transport.abort()
            plain.abort()


class _Dialogue:
    def __init__(self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.secure = server.implicit
        self.known = server.login is None
        self.sender = ""
        self.to = ""

    async def run(self) -> None:
        await self.say("220 localhost strict")
        while True:
            line = await self.line()
            verb, _, rest = line.partition(" ")
            if not self.secure:
                self.server.seen_in_clear.append(line)
            match verb.upper():
                case "EHLO":
                    await self.greet()
                case "STARTTLS" if self.server.certificate and not self.secure:
                    await self.say("220 go ahead")
                    await self.writer.start_tls(self.server.certificate)
                    self.secure = True
                case "AUTH" if self.secure and self.server.login:
                    await self.authenticate(rest)
                case "MAIL" if self.server.certificate and not self.secure:
                    await self.say("530 5.7.0 Must issue a STARTTLS command first")
                case "MAIL" if not self.known:
                    await self.say("530 5.7.0 Authentication required")
                case "MAIL":
                    self.sender = rest.partition("<")[2].partition(">")[0]
                    await self.say("250 sender")
                case "RCPT" if self.sender:
                    await self.recipient(rest)
                case "DATA" if self.to:
                    await self.data()
                case "QUIT":
                    await self.say("221 bye")
                    return
                case _:
                    self.server.violations.append(f"{verb} out of order")
                    await self.say("503 bad sequence")

    async def greet(self) -> None:
        offers = ["localhost"]
        if self.server.certificate and not self.secure:
            offers.append("STARTTLS")
        if self.server.login and self.secure:
            offers.append("AUTH PLAIN")
        for offer in offers[:-1]:
            await self.say(f"250-{offer}")
        await self.say(f"250 {offers[-1]}")

    async def authenticate(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        self.known = (user, password) == self.server.login
        await self.say("235 welcome" if self.known else "535 5.7.8 wrong")

    async def recipient(self, rest: str) -> None:
        answer = self.server.answers.pop(0) if self.server.answers else "250 recipient"
        if answer.startswith("250"):
            self.to = rest.partition("<")[2].partition(">")[0]
        await self.say(answer)

    async def data(self) -> None:
        await self.say("354 go on")
        lines = []
        while (line := await self.line()) != ".":
            lines.append(line.removeprefix("."))
        message = BytesParser(policy=default).parsebytes("\r\n".join(lines).encode("utf-8", "surrogateescape"))
        self.server.taken.append((self.sender, self.to, cast("EmailMessage", message)))
        self.sender = self.to = ""
        await self.say("250 taken")

    async def line(self) -> str:
        raw = await self.reader.readuntil(b"\n")
        if not raw.endswith(b"\r\n") or len(raw) > 1000:
            self.server.violations.append("a line that is no line")
        return raw[:-2].decode("utf-8", "surrogateescape")

    async def say(self, text: str) -> None:
        self.writer.write(f"{text}\r\n".encode())
        await self.writer.drain()


def server_context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


@asynccontextmanager
async def mail_server(server: SmtpServer) -> AsyncIterator[SmtpServer]:
    """Listening on a free port."""
    tls = server.certificate if server.implicit else None
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls, limit=2**16)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for dialogue in server.dialogues:
            dialogue.cancel()
        await asyncio.gather(*server.dialogues, return_exceptions=True)
        await listener.wait_closed()
