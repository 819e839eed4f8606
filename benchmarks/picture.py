"""Makes the README's picture: plays `autoheal demo` in headless Chromium and clicks the button on the card.

    python benchmarks/picture.py [--scenario config-cut] [--seed 7] [--out docs/picture.png] [--shots FOLDER]

Needs Chromium on PATH. With `--shots` it also keeps screenshots of each moment at 1440x900 and 390x844.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.bot.demo.workspace.chromium import Page, chromium

DESKTOP, PHONE = (1440, 900), (390, 844)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SHARPNESS = 1.0


async def address(demo: asyncio.subprocess.Process) -> str:
    """The page that the demo prints."""
    assert demo.stdout is not None
    while line := (await asyncio.wait_for(demo.stdout.readline(), 300)).decode():
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise SystemExit("the demo ended before it printed an address")


async def shoot(page: Page, folder: Path | None, name: str) -> None:
    if folder is None:
        return
    for size, (width, height) in (("wide", DESKTOP), ("phone", PHONE)):
        await page.resize(width, height)
        await asyncio.sleep(0.4)
        for scheme in SCHEMES:
            await page.scheme(scheme)
            await asyncio.sleep(0.3)
            await page.screenshot(folder / f"{name}-{size}-{scheme}.png")
    await page.scheme("light")
    await page.resize(*DESKTOP)
    await asyncio.sleep(0.2)


async def play(scenario: str, seed: int, out: Path, shots: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="python-") as neutral:
        # The card shows the command to the letter; where this checkout happens to lie is nobody's business.
        (Path(neutral) / "venv").symlink_to(sys.prefix)
        await _play(f"{neutral}/venv/bin/python", scenario, seed, out, shots)


async def _play(python: str, scenario: str, seed: int, out: Path, shots: Path | None) -> None:
    demo = await asyncio.create_subprocess_exec(
        python,
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
            await asyncio.sleep(1)
            verdict = await panels(page, "confidence.", "confidence.")
            card = await panels(page, "Healed when", "Healed when")
            await shoot(page, shots, "2-card")
            await page.click("#thread [data-action=approve]")
            await asyncio.sleep(3)
            await shoot(page, shots, "3-approved")
            await page.wait_until(
                "/ recovered at |^Not healed|^Unknown/m.test(document.querySelector('#thread').innerText)", seconds=90
            )
            await asyncio.sleep(1)
            await shoot(page, shots, "4-healed")
            healed = await panels(page, "applied ", " recovered at ")
        for scheme, name in (("light", out), ("dark", out.with_stem(f"{out.stem}-dark"))):
            await compose({"verdict": verdict[scheme], "card": card[scheme], "healed": healed[scheme]}, name, scheme)
    finally:
        if demo.returncode is None:
            demo.terminate()
        await demo.wait()


async def panels(page: Page, first: str, last: str) -> dict[str, str]:
    """The thread's messages from the one with the words `first` to the one with `last`, as data addresses by scheme."""
    taken: dict[str, str] = {}
    for scheme in SCHEMES:
        await page.scheme(scheme)
        await asyncio.sleep(0.3)
        taken[scheme] = await panel(page, first, last)
    await page.scheme("light")
    return taken


async def panel(page: Page, first: str, last: str) -> str:
    """As `panels`, as it is shown now."""
    await page.resize(1180, 2600, scale=1.0)
    await asyncio.sleep(0.5)
    box = await page.evaluate(
        "(() => { const all = [...document.querySelectorAll('#thread article.msg')];"
        f" const of = (words) => all.findIndex((one) => one.innerText.includes(words));"
        f" const a = all[of({json.dumps(first)})].getBoundingClientRect(),"
        f" b = all[of({json.dumps(last)})].getBoundingClientRect();"
        " return [a.x, a.y, a.width, b.bottom - a.y]; })()"
    )
    clip = {"x": box[0], "y": box[1], "width": box[2], "height": box[3], "scale": SHARPNESS}
    taken = await page.send("Page.captureScreenshot", format="png", clip=clip)
    await page.resize(*DESKTOP)
    return f"data:image/png;base64,{taken['data']}"


async def compose(panels: dict[str, str], out: Path, scheme: str) -> None:
    """The verdict and the outcome on the left, the card between them on the right."""
    figures = {
        name: f"<figure><figcaption>{caption}</figcaption><img src='{panels[name]}'></figure>"
        for name, caption in (
            ("verdict", "1. It says what broke, with proofs and gaps"),
            ("card", "2. You decide, on exactly this"),
            ("healed", "3. It measures whether that healed"),
        )
    }
    paper, ink, edge = ("#eef1f6", "#1d2333", "#d5dae5") if scheme == "light" else ("#0f1116", "#e4e6ec", "#353a45")
    html = (
        f"<meta charset=utf-8><style>body{{margin:0;background:{paper};font:600 17px system-ui,sans-serif;color:{ink}}}"
        "main{display:flex;gap:20px;padding:20px;align-items:flex-start;width:max-content}"
        "figure{margin:0 0 20px}figcaption{margin:0 0 8px}"
        f"img{{zoom:{1 / SHARPNESS};border:1px solid {edge};display:block}}</style>"
        f"<main><div>{figures['verdict']}{figures['healed']}</div><div>{figures['card']}</div></main>"
    )
    async with chromium(width=1200, height=1200) as page:
        await page.goto("about:blank")
        await page.evaluate(f"document.write({json.dumps(html)}), document.close()")
        await page.wait_until("[...document.images].every((one) => one.complete)")
        width, height = await page.evaluate(
            "(() => { const box = document.querySelector('main').getBoundingClientRect();"
            " return [box.width, box.height]; })()"
        )
        clip = {"x": 0, "y": 0, "width": width, "height": height - 20, "scale": SHARPNESS}
        await page.resize(int(width) + 1, int(height) + 1)
        taken = await page.send("Page.captureScreenshot", format="png", clip=clip)
        await asyncio.to_thread(out.write_bytes, base64.b64decode(taken["data"]))


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
