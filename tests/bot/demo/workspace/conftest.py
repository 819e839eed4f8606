"""A running workspace on a clock moved by hand, and a client with its bot token."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import ManualClock, Workspace
from tests.bot.demo.workspace.support import MANIFEST


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def workspace(clock: ManualClock) -> AsyncIterator[Workspace]:
    workspace = Workspace(MANIFEST, clock=clock)
    await workspace.start()
    yield workspace
    await workspace.stop()


@pytest.fixture
async def client(workspace: Workspace) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url, session=session)
