"""A small strict Prometheus: it answers what its API documents, to those with the right token, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(kw_only=True)
class FakePrometheus:
    """`jobs` are the values of its label `job`; those in `silent` have no samples."""

    jobs: list[str] = field(default_factory=lambda: ["checkout", "payments"])
    silent: set[str] = field(default_factory=set)
    token: str = ""
    status: int = 200
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.partition("/api/v1/")[2]
        self.asked.append(path)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return web.json_response({"status": "error", "error": "unauthorized"}, status=401)
        if self.status != 200:
            return web.Response(status=self.status)
        data: Any
        if path == "status/buildinfo":
            data = {"version": "3.1.0"}
        elif path == "label/job/values":
            data = self.jobs
        elif path == "query":
            found = [{"metric": {"job": job}, "value": [0, "1"]} for job in self.jobs if job not in self.silent]
            data = {"resultType": "vector", "result": found}
        else:
            return web.Response(status=404)
        return web.json_response({"status": "success", "data": data})


@asynccontextmanager
async def fake_prometheus(**settings: Any) -> AsyncIterator[FakePrometheus]:
    fake = FakePrometheus(**settings)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
