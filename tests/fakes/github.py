"""GitHub as its documents say: what a test tells it to answer, and a record of what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.openapi import Asked

TOKEN = "github_pat_11ABCDEFG0aBcDeFgHiJkL"
REPOSITORY = "acme/shop"


@dataclass(kw_only=True)
class FakeGitHub:
    """`answers` by path, by path and query, or by method and path; a list of them is given one after the other, the
    last one for good.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    given: list[tuple[Asked, int, Any]] = field(default_factory=list)
    token: str = TOKEN
    url: str = ""

    def tell(self, path: str, *answers: Any) -> None:
        """Each answer is a document, or (status, headers, document); "hang" never answers."""
        self.answers[path] = list(answers)

    async def answer(self, request: web.Request) -> web.Response:
        asked = Asked(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        self.asked.append(asked)
        anonymous = request.path == "/credentials/revoke"
        signed = request.path.endswith("/access_tokens")
        if not (anonymous or signed) and request.headers.get("authorization") != f"Bearer {self.token}":
            return self._given(asked, 401, {}, {"message": "Bad credentials"})
        own = self.answers.get(f"{request.method} {request.path}")
        waiting = own or self.answers.get(request.path_qs, self.answers.get(request.path))
        if own is None and request.method not in ("GET", "DELETE") and not (anonymous or signed):
            waiting = None  # what changes something is told by its method
        if waiting is None:
            return self._given(asked, 404, {}, {"message": "Not Found"})
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if found == "hang":
            await asyncio.Event().wait()
        status, headers, document = found if isinstance(found, tuple) else (200, {}, found)
        return self._given(asked, status, headers, document)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def _given(self, asked: Asked, status: int, headers: Mapping[str, str], document: Any) -> web.Response:
        self.given.append((asked, status, document))
        if isinstance(document, bytes):
            return web.Response(status=status, headers=headers, body=document)
        if document is None:
            return web.Response(status=status, headers=headers)
        return web.json_response(document, status=status, headers=headers)


def deployment(number: int, sha: str, at: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "sha": sha,
        "ref": "main",
        "task": "deploy",
        "environment": "production",
        "description": f"deploy {number}",
        "payload": {},
        "created_at": at,
        **more,
    }


def status(state: str, at: str) -> dict[str, Any]:
    return {"state": state, "created_at": at, "description": ""}


def commit(sha: str, subject: str, at: str) -> dict[str, Any]:
    who = {"name": "Mia", "date": at}
    return {
        "sha": sha,
        "html_url": f"https://github.com/acme/shop/commit/{sha}",
        "commit": {"message": f"{subject}\n\nMore words.", "author": who, "committer": who},
    }


def comparison(sha: str, *files: dict[str, Any]) -> dict[str, Any]:
    return {
        "html_url": "https://github.com/acme/shop/compare/a...b",
        "status": "ahead",
        "ahead_by": 1,
        "total_commits": 1,
        "commits": [commit(sha, "Cut the pool", "2026-03-01T11:00:00Z")],
        "files": list(files),
    }


def changed_file(name: str, patch: str | None = "@@ -1 +1 @@\n-pool = 50\n+pool = 5", **more: Any) -> dict[str, Any]:
    return {
        "filename": name,
        "status": "modified",
        "changes": 2,
        **({} if patch is None else {"patch": patch}),
        **more,
    }


@asynccontextmanager
async def fake_github() -> AsyncIterator[FakeGitHub]:
    fake = FakeGitHub()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
