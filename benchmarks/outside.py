"""The world outside of Autoheal for `intake.py`, in a process of its own: a Slack that agrees to everything, a model
that takes its time, and services with metrics.

It prints its addresses as one JSON line and ends with its standard input. Nothing strict is tested here:
`bot/demo/workspace` and `tests/fakes/messages_api` do that. The model is the tests' fake of the Messages API.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

import uvicorn
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes.messages_api import Answer, MessagesApi, answer, call, say

TEAM: Final = "T0BENCH"
BOT: Final = "U0BENCHBOT"
PERSON: Final = "U0MIA"
TURNS: Final = 22
"""Of one investigation, each with two reads; below the share of the budget from which the model is told to end."""
_WAIT_S: Final = (1.0, 3.0)


def script(body: dict[str, Any]) -> Answer:
    """Reads by turns, every time with other arguments, then concludes that nothing is known."""
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    if turn >= TURNS:
        draft = {"headline": "No fault found", "cause": None, "confidence": "none", "not_known": ["a benchmark"]}
        return answer(say("That is all."), call("conclude", draft))
    minutes = 5 + turn
    reads = [call("rank_causes", {"minutes": minutes}), call("log_patterns", {"minutes": minutes})]
    if turn % 4:
        reads = [
            call("what_changed", {"minutes": minutes}),
            call("search_logs", {"service": "service-01", "grep": str(turn)}),
        ]
    return answer(say(f"Reading {minutes} minutes."), *reads)


class SlowModel:
    """The fake model behind a wait, as a real one thinks."""

    def __init__(self) -> None:
        self._api = MessagesApi(script)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        await asyncio.sleep(random.uniform(*_WAIT_S))  # noqa: S311 -- a pause, not a secret
        await self._api(scope, receive, send)


class Slack:
    """Any method succeeds. `calls` counts them by name."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self._ts = 1_800_000_000.0

    async def method(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        self.calls[name] = self.calls.get(name, 0) + 1
        form = await request.post() if request.content_type != "application/json" else await request.json()
        channel = str(form.get("channel") or "C0")
        self._ts += 0.001
        user = {"id": PERSON, "team_id": TEAM, "name": "mia", "is_primary_owner": True, "is_admin": True}
        whole: dict[str, dict[str, Any]] = {
            "auth.test": {
                "team_id": TEAM,
                "team": "Bench",
                "user_id": BOT,
                "bot_id": "B0BENCH",
                "url": "http://127.0.0.1/",
            },
            "users.list": {"members": [user]},
            "users.info": {"user": {**user, "id": str(form.get("user") or PERSON)}},
            "conversations.info": {"channel": {"id": channel}},
            "conversations.replies": {"messages": []},
            "conversations.history": {"messages": []},
        }
        said = whole.get(name, {"channel": channel, "ts": f"{self._ts:.6f}", "message_ts": f"{self._ts:.6f}"})
        return web.json_response({"ok": True, **said})

    async def counted(self, _request: web.Request) -> web.Response:
        return web.json_response(self.calls)


class Services:
    """Metrics of services that do their work: counters that grow, a histogram-free error rate near zero."""

    def __init__(self) -> None:
        self._requests = 0.0

    async def metrics(self, _request: web.Request) -> web.Response:
        self._requests += 20
        lines = [
            "# TYPE http_requests counter",
            f'http_requests_total{{code="200"}} {self._requests}',
            f'http_requests_total{{code="500"}} {int(self._requests / 1000)}',
            "# TYPE process_resident_memory_bytes gauge",
            f"process_resident_memory_bytes {90_000_000 + random.randrange(1_000_000)}",  # noqa: S311 -- noise
            "# TYPE db_pool_in_use gauge",
            f"db_pool_in_use {random.randrange(3, 9)}",  # noqa: S311 -- noise
            "# EOF",
        ]
        content = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        return web.Response(body="\n".join(lines).encode() + b"\n", headers={"Content-Type": content})


async def main() -> None:
    slack, services = Slack(), Services()
    app = web.Application()
    app.router.add_route("*", "/api/{method}", slack.method)
    app.router.add_get("/calls", slack.counted)
    app.router.add_get("/services/{name}/metrics", services.metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = uvicorn.Config(SlowModel(), port=0, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn tells it by an attribute only
        await asyncio.sleep(0.02)
    model_port = server.servers[0].sockets[0].getsockname()[1]
    here = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(json.dumps({"outside": here, "model": f"http://127.0.0.1:{model_port}"}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await running
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
