"""A bare Bolt app for comparison: Bolt's own signature check, one `app_mention` listener that does nothing, Starlette
and uvicorn as in `autoheal serve`. Nothing is written down. Prints its port; ends with SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvicorn
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from bot.web_app import Server


async def authorize(**_context: object) -> AuthorizeResult:
    """Without asking Slack: the default would ask for each event."""
    return AuthorizeResult(enterprise_id=None, team_id="T0BENCH", bot_user_id="U0BENCHBOT")


async def heard() -> None:
    """The one listener."""


async def main() -> None:
    app = AsyncApp(signing_secret=os.environ["SLACK_SIGNING_SECRET"], authorize=authorize)
    app.event("app_mention")(heard)
    handler = AsyncSlackRequestHandler(app)

    async def receive(request: Request) -> Response:
        return await handler.handle(request)

    web = Starlette(routes=[Route("/slack/events", receive, methods=["POST"])])
    server = Server(uvicorn.Config(web, port=0, log_level="warning", lifespan="off"))

    def stop() -> None:
        server.should_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn tells it by an attribute only
        await asyncio.sleep(0.02)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await running


if __name__ == "__main__":
    asyncio.run(main())
