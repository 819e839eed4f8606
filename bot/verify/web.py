"""The web side of the deployment, asked in this process: the same application that `serve` listens with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx2

from agents.connecting.toolboxes import Toolboxes
from bot.metrics import Metrics
from bot.verify.site import Site, Synthetic
from bot.web_side import build_web_side

URL: Final = "https://verify.invalid"


@asynccontextmanager
async def browser(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody on our own page, who is not signed in."""
    app = await build_web_side(
        site.settings,
        db=site.db,
        keys=site.keys,
        days=site.days,
        metrics=Metrics(),
        toolboxes=Toolboxes(site.db, now=site.db.now),
    )
    url = site.settings.public_url or URL
    transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 4711))
    headers = {"sec-fetch-site": "same-origin", "origin": url}
    async with httpx2.AsyncClient(transport=transport, base_url=url, headers=headers) as client:
        yield client


@asynccontextmanager
async def signed_in(site: Site, synthetic: Synthetic) -> AsyncIterator[httpx2.AsyncClient]:
    """The admin of a synthetic tenant, whose account `P1` made, through the front door."""
    async with browser(site) as client:
        answer = await client.post(
            "/api/session",
            json={
                "email": site.planted["e-mail"],
                "password": site.canary("password"),
                "organisation": synthetic.id,
            },
        )
        answer.raise_for_status()
        client.headers["cookie"] = answer.headers["set-cookie"].partition(";")[0]
        site.planted["set-cookie"] = answer.headers.get_list("set-cookie")
        yield client
