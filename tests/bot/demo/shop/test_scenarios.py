"""Each scenario really shows to customers, stays without the right remedy, and heals with it."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.demo.shop import SCENARIOS, Judgement, Shop

SEED = 21
pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    running = await Shop.start(tmp_path_factory.mktemp("shop"), seed=SEED)
    yield running
    await running.stop()


async def shopctl(shop: Shop, *arguments: str) -> None:
    argv = (*shop.describe().shopctl, *arguments)
    await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=True)


async def previous_version(shop: Shop, service: str) -> str:
    argv = (*shop.describe().shopctl, "status", service, "--json")
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=True)
    return str(json.loads(done.stdout)["previous_version"])


async def apply_remedy(shop: Shop, judged: Judgement) -> None:
    service = str(judged.expected_service)
    if judged.expected_change is None:
        await shopctl(shop, "restart", service)
    else:
        await shopctl(shop, "rollback", service, "--to", await previous_version(shop, service))


async def restart_another(shop: Shop, judged: Judgement) -> None:
    described = shop.describe()
    other = next(s.name for s in described.services if s.name not in {judged.expected_service, described.entry})
    await shopctl(shop, "restart", other)


@pytest.mark.parametrize("scenario", list(SCENARIOS))
async def test_scenario_shows_and_heals_only_with_its_remedy(shop: Shop, scenario: str) -> None:
    await shop.baseline()
    mention = await shop.begin(scenario, SEED)
    names = {service.name for service in shop.describe().services} - {shop.describe().entry}
    assert not any(name in mention.text.split() for name in names - {"checkout", "orders", "products"})
    judged = await shop.judge()
    if scenario == "false-alarm":
        assert (judged.expected_service, judged.expected_change, judged.healable) == (None, None, None)
        assert judged.error_rate.now < 0.03
    elif judged.healable is None:
        assert judged.expected_change is None
        assert judged.healed is None
        assert judged.error_rate.now > 0.03 or judged.p95_s.now > 1.3 * judged.p95_s.before
    else:
        assert judged.healed is False
        await restart_another(shop, judged)
        assert (await shop.judge()).healed is False
        await apply_remedy(shop, judged)
        assert (await shop.judge()).healed is True
    await shop.reset()
    await shop.baseline()
