"""A visit to a foreign server, by the official SDK: one question at a time, each bounded in time, size and pages.

A visit begins and ends within one call, so that a server that hangs, is cancelled or goes away leaves nothing behind.
What it answers is not checked against schemas of its own: those may hold patterns that take for ever.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult, TextContent
from pydantic import ValidationError

from agents.connecting.connectors.mcp.settings import CALL_S, LISTING_S, STARTING_S
from agents.connecting.outbound import Outbound
from agents.errors import AgentError, Unavailable

T = TypeVar("T")
MOST_BYTES: Final = 4_000_000
MOST_TOOLS: Final = 300
MOST_PAGES: Final = 20
_BROKEN: Final = (MCPError, ValidationError, ExceptionGroup, RuntimeError, ValueError, httpx2.HTTPError, OSError)
"""The ways in which the SDK and a server that breaks the protocol end a visit."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a tool answered, in words. `failed`: the tool says that it could not do it."""

    text: str
    failed: bool


class ForeignServer:
    """Base of the ways to reach a server. All that it raises is AgentError."""

    listing_s = LISTING_S

    async def offered(self) -> list[dict[str, Any]]:
        """All that it says of its tools."""

        async def look() -> list[dict[str, Any]]:
            async with self._visit(within_s=self.listing_s) as client:
                return await _list_tools(client)

        return await _orderly(look)

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        agree: Callable[[Sequence[Mapping[str, Any]]], None],
        idempotency_key: str = "",
    ) -> Answered:
        """`agree` raises AgentError where what is offered at this moment is not what should be called."""

        async def ask() -> Answered:
            async with self._visit(within_s=CALL_S) as client:
                agree(await _list_tools(client))
                return await _call_tool(client, name, arguments, idempotency_key)

        return await _orderly(ask)

    def _visit(self, *, within_s: float) -> AbstractAsyncContextManager[Client]:
        raise NotImplementedError


class OverHttp(ForeignServer):
    """A server behind an address, reached by the one way out."""

    def __init__(self, outbound: Outbound, url: str, headers: Mapping[str, str]) -> None:
        self._outbound, self._url, self._headers = outbound, url, headers

    @asynccontextmanager
    async def _visit(self, *, within_s: float) -> AsyncIterator[Client]:
        place = self._outbound.place_of(self._url)
        lent = self._outbound.lend(headers=self._headers, max_bytes=MOST_BYTES, timeout_s=within_s)
        async with lent:
            transport = streamable_http_client(self._url, http_client=lent, max_sse_event_size=MOST_BYTES)
            async with _translated(place, within_s, lambda: lent.failure), Client(transport, cache=None) as client:
                yield client


class OverStdio(ForeignServer):
    """A program of this host, started for each visit and ended with it. What it writes to its error stream is lost."""

    listing_s = STARTING_S

    def __init__(self, title: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._title = title
        self._nowhere = Path(os.devnull)
        self._program = StdioServerParameters(command=argv[0], args=list(argv[1:]), env=dict(environment))

    @asynccontextmanager
    async def _visit(self, *, within_s: float) -> AsyncIterator[Client]:
        with self._nowhere.open("w", encoding="utf-8") as nowhere:
            transport = stdio_client(self._program, errlog=nowhere)
            async with _translated(self._title, within_s, lambda: None), Client(transport, cache=None) as client:
                yield client


_leaving: set[asyncio.Task[Any]] = set()


async def _orderly(visit: Callable[[], Awaitable[T]]) -> T:
    """A visit in a task of its own: whoever is cancelled leaves at once, and the visit still ends what it began."""
    scope = anyio.CancelScope()

    async def run() -> T | None:
        with scope:
            return await visit()
        return None

    task = asyncio.create_task(run())
    try:
        found = await asyncio.shield(task)
    except asyncio.CancelledError:
        scope.cancel()
        _leaving.add(task)
        task.add_done_callback(_left)
        raise
    if found is None:
        raise Unavailable("the visit was given up")
    return found


def _left(task: asyncio.Task[Any]) -> None:
    _leaving.discard(task)
    if not task.cancelled():
        task.exception()  # nobody waits for it any more


@asynccontextmanager
async def _translated(place: str, within_s: float, failure: Callable[[], AgentError | None]) -> AsyncIterator[None]:
    """What can go wrong in a visit, as our four fates. Texts of the server are in none of them."""
    try:
        with anyio.fail_after(within_s):  # what ends a program afterwards is not cut short by it
            yield
    except TimeoutError as exc:
        raise Unavailable(f"{place} did not answer within {within_s:g} s") from exc
    except _BROKEN as exc:
        if isinstance(exc, ExceptionGroup) and (own := _own(exc)) is not None:
            raise own from exc
        if (known := failure()) is not None:
            raise known from exc
        code = f" (error {exc.code})" if isinstance(exc, MCPError) else ""
        raise Unavailable(f"{place} does not answer as the Model Context Protocol has it{code}") from exc


def _own(group: ExceptionGroup[Any]) -> AgentError | None:
    """What we raised ourselves within the visit, out of the groups that the SDK's tasks wrapped it in."""
    for one in group.exceptions:
        found = _own(one) if isinstance(one, ExceptionGroup) else one
        if isinstance(found, AgentError):
            return found
    return None


async def _list_tools(client: Client) -> list[dict[str, Any]]:
    """All of them. Raises Unavailable for a list that does not end."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in page.tools]
        cursor = page.next_cursor
        if not cursor:
            return found
        if len(found) > MOST_TOOLS:
            break
    raise Unavailable(f"it offers more than {MOST_TOOLS} tools, or a list that does not end")


async def _call_tool(client: Client, name: str, arguments: Mapping[str, Any], idempotency_key: str) -> Answered:
    """The key goes along for servers that know what to do with it."""
    given: dict[str, Any] = {"name": name, "arguments": dict(arguments)}
    if idempotency_key:
        given["_meta"] = {"autoheal/idempotency-key": idempotency_key}
    params = CallToolRequestParams.model_validate(given)
    request = CallToolRequest(params=params)
    result = await client.session.send_request(request, CallToolResult)
    parts = [one.text if isinstance(one, TextContent) else f"[{one.type}, not shown]" for one in result.content]
    if not result.content and result.structured_content is not None:
        parts = [str(result.model_dump_json(include={"structured_content"}))]
    return Answered(text="\n".join(parts), failed=result.is_error)
