"""A person at the page: watches the investigation, clicks the button on the card, and the shop heals."""

from pathlib import Path

import pytest

from bot.demonstration import open_stage
from tests.bot.demo.workspace.chromium import chromium

SEED = 3
THREAD = "document.querySelector('#thread').innerText"
pytestmark = [pytest.mark.browser, pytest.mark.scenario]


async def test_the_click_on_the_page_heals_the_shop(tmp_path: Path) -> None:
    async with open_stage(tmp_path, SEED, 0) as stage, chromium() as page:
        await page.goto(stage.workspace.base_url)
        await page.click("[data-name=incidents]")
        await stage.shop.baseline()
        mention = await stage.shop.begin("config-cut", SEED)
        await page.type("#main textarea", f"@autoheal {mention.text}", enter=True)
        await page.press("Enter")
        await page.click(".thread-row")
        await page.wait_for("#thread [data-action=approve]", seconds=180)
        await page.click("#thread [data-action=approve]")
        await page.wait_until(f"{THREAD}.includes('applied ')", seconds=120)
        await page.wait_until(f"/ recovered at .*\\d\\d:\\d\\d/m.test({THREAD})", seconds=120)
        judged = await stage.shop.judge()
        assert judged.healed is True
        said = await page.text("#thread")
        assert "&gt;" not in said
        assert "&lt;" not in said
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        await page.resize(390, 844)
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.errors == []
        assert stage.workspace.violations == []
