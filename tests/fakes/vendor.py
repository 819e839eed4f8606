"""A vendor's API on loopback: what all strict fakes of one do. What it answers, each says itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from tests.fakes.openapi import Asked, Description

V = TypeVar("V", bound="FakeVendor")
Told = tuple[int, Any]
SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"


@dataclass(kw_only=True)
class FakeVendor:
    """`refuse` is what it answers instead, by path or "*" for all: (status, headers, document or bytes), or "hang"."""

    asked: list[Asked] = field(default_factory=list)
    given: list[tuple[Asked, int, Any]] = field(default_factory=list)
    refuse: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    def answered(self, asked: Asked) -> Told:
        raise NotImplementedError

    def headers(self, asked: Asked) -> dict[str, str]:
        """Those of an answer, beside the usual ones."""
        del asked
        return {}

    def written(self) -> list[Asked]:
        return [one for one in self.asked if one.method != "GET"]

    async def answer(self, request: web.Request) -> web.Response:
        asked = Asked(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            repeated={name: tuple(request.query.getall(name)) for name in request.query},
        )
        self.asked.append(asked)
        refusal = self.refuse.get(request.path, self.refuse.get("*"))
        if refusal == "hang":
            await asyncio.Event().wait()
        if refusal is not None:
            status, headers, document = refusal
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            return web.Response(status=status, headers=headers, body=body)
        status, document = self.answered(asked)
        self.given.append((asked, status, document))
        headers = self.headers(asked)
        if document is None:
            return web.Response(status=status, headers=headers)
        return web.json_response(document, status=status, headers=headers)


@asynccontextmanager
async def serving(fake: V) -> AsyncIterator[V]:
    app = web.Application(client_max_size=4_000_000)
    app.router.add_route("*", "/{path:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()


@cache
def _description(file: Path) -> Description:
    return Description(file)


def undocumented(fake: FakeVendor, name: str) -> Iterator[str]:
    """What was asked, or answered, that the vendor's own description does not have; nothing where that is absent."""
    file = SPECS / name
    if file.exists():
        description = _description(file)
        for asked in fake.asked:
            yield from description.problems(asked)
        for asked, status, document in fake.given:
            if 200 <= status < 300:
                yield from description.answer_problems(asked, status, document)
