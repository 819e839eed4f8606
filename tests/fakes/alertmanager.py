"""Alertmanager twice: a strict local server that behaves as the real one is documented to, and Debian's program."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from aiohttp import web

from tests.conftest import missing
from tests.fakes.openapi import Asked

TOKEN = "a-token-of-the-proxy"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_FILTER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')


def an_alert(name: str, *, at: datetime = NOW - timedelta(minutes=5), **labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, **labels},
        "annotations": {"summary": f"{name} is bad"},
        "startsAt": at.isoformat(),
        "generatorURL": "http://prometheus.example/graph",
    }


@dataclass(kw_only=True)
class FakeAlertmanager:
    """`refuse` is what it answers to everything instead: (status, headers, document), or "hang"."""

    now: Callable[[], datetime] = lambda: NOW
    alerts: list[dict[str, Any]] = field(default_factory=list)
    silences: dict[str, dict[str, Any]] = field(default_factory=dict)
    inhibited: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    given: list[tuple[Asked, int, Any]] = field(default_factory=list)
    refuse: Any = None
    url: str = ""

    def posted(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.asked if one.method == "POST"]

    async def answer(self, request: web.Request) -> web.Response:
        asked = Asked(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        self.asked.append(asked)
        if self.refuse == "hang":
            await asyncio.Event().wait()
        if self.refuse is not None:
            status, headers, document = self.refuse
            return web.Response(status=status, headers=headers, body=document)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401, text="unauthorized")
        status, document = self._answered(request, asked)
        self.given.append((asked, status, document))
        return web.json_response(document, status=status)

    def _answered(self, request: web.Request, asked: Asked) -> tuple[int, Any]:  # noqa: PLR0911 -- one each
        filters = request.query.getall("filter", [])
        match request.method, request.path.partition("/api/v2/")[2].split("/"):
            case "GET", ["status"]:
                return 200, _status()
            case "GET", ["alerts"]:
                return 200, [one for one in map(self._alert, self.alerts) if _passes(one["labels"], filters)]
            case "GET", ["silences"]:
                known = [self._silence(key) for key in self.silences]
                chosen = [
                    one
                    for one in known
                    if request.query.get(one["status"]["state"]) != "false"
                    and _passes({m["name"]: m["value"] for m in one["matchers"]}, filters)
                ]
                return 200, chosen
            case "POST", ["silences"]:
                body = json.loads(asked.body)
                if datetime.fromisoformat(body["endsAt"]) <= self.now():
                    return 400, "end time can't be in the past"
                key = f"00000000-0000-4000-8000-{len(self.silences):012d}"
                self.silences[key] = body
                return 200, {"silenceID": key}
            case "DELETE", ["silence", key] if key in self.silences:
                self.silences[key]["endsAt"] = self.now().isoformat()
                return 200, None
            case _:
                return 404, None

    def _alert(self, one: Mapping[str, Any]) -> dict[str, Any]:
        key = f"{abs(hash(json.dumps(one['labels'], sort_keys=True))):016x}"[:16]
        active = [self._silence(key) for key in self.silences]
        by = [s["id"] for s in active if s["status"]["state"] == "active" and _covers(s, one["labels"])]
        inhibited = ["0123456789abcdef"] if one["labels"]["alertname"] in self.inhibited else []
        return {
            **one,
            "fingerprint": key,
            "receivers": [{"name": "team"}],
            "updatedAt": one["startsAt"],
            "endsAt": (self.now() + timedelta(minutes=3)).isoformat(),
            "status": {
                "state": "suppressed" if by or inhibited else "active",
                "silencedBy": by,
                "inhibitedBy": inhibited,
                "mutedBy": [],
            },
        }

    def _silence(self, key: str) -> dict[str, Any]:
        body = self.silences[key]
        starts, ends = (datetime.fromisoformat(body[name]) for name in ("startsAt", "endsAt"))
        state = "expired" if ends <= self.now() else "pending" if starts > self.now() else "active"
        return {
            **body,
            "id": key,
            "annotations": {},
            "updatedAt": body["startsAt"],
            "status": {"state": state},
        }


def _status() -> dict[str, Any]:
    names = ("version", "revision", "branch", "buildUser", "buildDate", "goVersion")
    return {
        "cluster": {"status": "disabled"},
        "versionInfo": dict.fromkeys(names, "0.28.1"),
        "config": {"original": ""},
        "uptime": NOW.isoformat(),
    }


def _covers(silence: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return all(
        (
            re.fullmatch(m["value"], labels.get(m["name"], "")) is not None
            if m["isRegex"]
            else labels.get(m["name"], "") == m["value"]
        )
        == m.get("isEqual", True)
        for m in silence["matchers"]
    )


def _passes(labels: Mapping[str, str], filters: list[str]) -> bool:
    for one in filters:
        read = _FILTER.fullmatch(one)
        if read is None:
            raise AssertionError(f"no matcher: {one}")
        name, sign, value = read[1], read[2], re.sub(r"\\(.)", r"\1", read[3])
        held = labels.get(name, "")
        fits = re.fullmatch(value, held) is not None if "~" in sign else held == value
        if fits == sign.startswith("!"):
            return False
    return True


@asynccontextmanager
async def fake_alertmanager(now: Callable[[], datetime] = lambda: NOW) -> AsyncIterator[FakeAlertmanager]:
    fake = FakeAlertmanager(now=now)
    app = web.Application()
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


@asynccontextmanager
async def real_alertmanager(folder: Path) -> AsyncIterator[str]:
    """The address of Debian's program, up. Skips where it is not installed."""
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        missing("prometheus-alertmanager is not installed (Debian: apt-get install prometheus-alertmanager)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(60), httpx2.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    if (await client.get(f"{url}/-/ready")).status_code == 200:
                        break
                except httpx2.TransportError:
                    pass  # not listening yet
                await asyncio.sleep(0.1)
        yield url
    finally:
        process.kill()
        await process.wait()
