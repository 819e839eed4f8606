"""The door over a whole agent core, listening on loopback."""

from collections.abc import AsyncIterator

import pytest
from fakes.rig import Rig

from tests.agents.conftest import pool, rig, rig_of
from tests.handlers.mcp.caller import Door, serving_door

__all__ = ["pool", "rig", "rig_of"]


@pytest.fixture
async def door(rig: Rig) -> AsyncIterator[Door]:
    async with serving_door(rig) as door:
        yield door
