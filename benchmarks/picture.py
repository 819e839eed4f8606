"""Makes the README's picture: plays `autoheal demo` in headless Chromium and clicks the button on the card.

    python benchmarks/picture.py [--scenario config-cut] [--seed 7] [--out docs/picture.png] [--shots FOLDER]

Needs Chromium on PATH. With `--shots` it also keeps screenshots of each moment at 1440x900 and 390x844.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.bot.demo.workspace.chromium import Page, chromium  # noqa: E402 -- the path must be set first

DESKTOP, PHONE = (1440, 900), (390, 844)


async def address(demo: asyncio.subprocess.Process) -> str:
    """The page that the demo prints."""
    assert demo.stdout is not None
    while line := (await asyncio.wait_for(demo.stdout.readline(), 90)).decode():
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise SystemExit("the demo ended before it printed an address")


async def shoot(page: Page, folder: Path | None, name: str) -> None:
    if folder is None:
        return
    for size, (width, height) in (("wide", DESKTOP), ("phone", PHONE)):
        await page.resize(width, height)
        await asyncio.sleep(0.4)
        await page.screenshot(folder / f"{name}-{size}.png")
    await page.resize(*DESKTOP)
    await asyncio.sleep(0.2)


async def play(scenario: str, seed: int, out: Path, shots: Path | None) -> None:
    demo = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "demo",
        "--scenario",
        scenario,
        "--seed",
        str(seed),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        url = await address(demo)
        async with chromium(width=DESKTOP[0], height=DESKTOP[1]) as page:
            await page.goto(url)
            await page.wait_for("#main .composer textarea", seconds=30)
            await page.click("[data-name=incidents]")
            await page.wait_for(".thread-row", seconds=120)
            await page.click(".thread-row")
            await shoot(page, shots, "1-checking")
            await page.wait_for("#thread [data-action=approve]", seconds=90)
            await shoot(page, shots, "2-card")
            await page.click("#thread [data-action=approve]")
            await asyncio.sleep(3)
            await shoot(page, shots, "3-approved")
            await page.wait_until(
                "/Healed|Not healed|Unknown/.test(document.querySelector('#thread').innerText)", seconds=90
            )
            await asyncio.sleep(1)
            await shoot(page, shots, "4-healed")
            await picture(page, out)
    finally:
        if demo.returncode is None:
            demo.terminate()
        await demo.wait()


async def picture(page: Page, out: Path) -> None:
    """The thread alone, as high as it is, at double sharpness."""
    await page.resize(1180, 1800, scale=1.5)
    await asyncio.sleep(0.5)
    await page.screenshot(out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="config-cut")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "picture.png")
    parser.add_argument("--shots", type=Path)
    chosen = parser.parse_args()
    if chosen.shots:
        chosen.shots.mkdir(parents=True, exist_ok=True)
    asyncio.run(play(chosen.scenario, chosen.seed, chosen.out, chosen.shots))
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
