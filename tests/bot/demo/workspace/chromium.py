"""Drives a headless Chromium over the DevTools protocol, for tests of real pages and for screenshots.

    async with chromium(width=1440, height=900) as page:
        await page.goto(workspace.base_url)
        await page.click("[data-name=incidents]")
        await page.screenshot(Path("page.png"))

Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


PATIENCE_S = 60.0  # for what hangs; a busy machine is no failure


class PageError(AssertionError):
    """The page threw an exception, or never showed what was waited for; the text says which."""


def chromium_path() -> str:
    """The browser's path. Skips the test where there is none, fails it when AUTOHEAL_REQUIRE_ALL is set."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    reason = f"no Chromium on PATH (looked for {', '.join(NAMES)})"
    if os.environ.get("AUTOHEAL_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


class Page:
    """One tab. Selectors are CSS; `text=Save` finds the innermost visible button, link or element with that text."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.errors: list[str] = []
        """Uncaught exceptions, console errors and refusals of the content security policy."""
        self._reader = asyncio.ensure_future(self._read())

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One DevTools command; its result. Raises PageError when the browser refuses it."""
        number = next(self._ids)
        waiting = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(PATIENCE_S):
            answer = await waiting
        del self._answers[number]
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    async def goto(self, url: str) -> None:
        """Open `url` and wait until it has loaded."""
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        async with asyncio.timeout(PATIENCE_S):
            await self._loaded.wait()

    async def scheme(self, name: Literal["light", "dark"]) -> None:
        """Show the page as to somebody who prefers light or dark pages."""
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, promises awaited. Raises PageError when it throws."""
        answer = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise PageError(str(answer["exceptionDetails"].get("exception", {}).get("description", answer)))
        return answer["result"].get("value")

    async def wait_until(self, expression: str, *, seconds: float = PATIENCE_S) -> Any:
        """The first truthy value of an expression. Raises PageError after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while not (value := await self.evaluate(expression)):  # noqa: ASYNC110  the browser has no event for it
                    await asyncio.sleep(0.03)
                return value
        except TimeoutError as exc:
            raise PageError(f"never true: {expression}; errors {self.errors}") from exc

    async def wait_for(self, selector: str, *, seconds: float = PATIENCE_S) -> None:
        """Wait until the selector finds something visible."""
        await self.wait_until(f"Boolean({_find(selector)})", seconds=seconds)

    async def wait_gone(self, selector: str, *, seconds: float = PATIENCE_S) -> None:
        await self.wait_until(f"!({_find(selector)})", seconds=seconds)

    async def text(self, selector: str) -> str:
        """The visible text of the first match."""
        await self.wait_for(selector)
        return str(await self.evaluate(f"({_find(selector)}).innerText"))

    async def count(self, selector: str) -> int:
        return int(await self.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length"))

    async def click(self, selector: str) -> None:
        """A real mouse click in the middle of the first visible match, once it stands still and nothing covers it."""
        await self.release(await self.hold(selector))

    async def hold(self, selector: str) -> tuple[float, float]:
        """The first half of a click: the button goes down on the first visible match. Returns where."""
        x, y = await self.wait_until(_middle(selector))
        await self._mouse("mouseMoved", x, y)
        await self._mouse("mousePressed", x, y)
        return x, y

    async def release(self, at: tuple[float, float]) -> None:
        """The second half of a click."""
        await self._mouse("mouseReleased", *at)

    async def _mouse(self, kind: str, x: float, y: float) -> None:
        moved = kind == "mouseMoved"
        await self.send(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button="none" if moved else "left",
            buttons=int(kind == "mousePressed"),
            clickCount=0 if moved else 1,
        )

    async def type(self, selector: str, text: str, *, enter: bool = False) -> None:
        """Click into a field and type; with `enter`, press Enter afterwards."""
        await self.click(selector)
        await self.wait_until(f"document.activeElement === {_find(selector)}")
        await self.send("Input.insertText", text=text)
        if enter:
            await self.press("Enter")

    async def press(self, key: str) -> None:
        """Press a key by its DOM name: Enter, Escape, Tab, ArrowDown."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38}
        text = {"Enter": "\r"}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            await self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], text=text
            )

    async def resize(self, width: int, height: int, *, scale: float = 1.0) -> None:
        """The viewport in CSS pixels. `scale` 2 makes screenshots as sharp as on a dense screen."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    async def screenshot(self, path: Path) -> Path:
        """A PNG of the viewport."""
        answer = await self.send("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(answer["data"]))
        return path

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            event = json.loads(message.data)
            if "id" in event and (answer := self._answers.get(event["id"])):
                answer.set_result(event)
            self._notice(event.get("method", ""), event.get("params", {}))

    def _notice(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(str(details.get("exception", {}).get("description", details.get("text"))))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


def _find(selector: str) -> str:
    """JavaScript for the first visible match, or null."""
    shown = "(e) => e.getClientRects().length > 0"
    if not selector.startswith("text="):
        return f"[...document.querySelectorAll({json.dumps(selector)})].find({shown})"
    text = json.dumps(selector.removeprefix("text="))
    return (
        f"[...document.querySelectorAll('button, a, [role=option], *')].filter({shown})"
        f".filter((e) => e.innerText?.trim() === {text}).sort((a, b) => "
        "b.matches('button, a') - a.matches('button, a') || b.contains(a) - a.contains(b))[0]"
    )


def _middle(selector: str) -> str:
    """JavaScript for the middle of the first visible match, or null while it moves or something lies on it."""
    return f"""(async () => {{
        const frame = () => new Promise(requestAnimationFrame);
        const found = {_find(selector)};
        if (!found) return null;
        found.scrollIntoView({{block: 'nearest'}});
        const before = found.getBoundingClientRect();
        await frame(); await frame();
        const after = found.getBoundingClientRect();
        const at = [after.x + after.width / 2, after.y + after.height / 2];
        const still = before.x === after.x && before.y === after.y && found === {_find(selector)};
        return still && found.contains(document.elementFromPoint(...at)) ? at : null;
    }})()"""


async def _devtools(process: asyncio.subprocess.Process) -> str:
    """The address of the browser's DevTools, from its first lines of output."""
    if process.stderr is None:
        raise PageError("the browser has no output")
    async with asyncio.timeout(PATIENCE_S):
        while line := (await process.stderr.readline()).decode():
            if found := re.search(r"ws://127\.0\.0\.1:(\d+)/", line):
                return f"http://127.0.0.1:{found[1]}"
    raise PageError("the browser ended before it was ready")


@asynccontextmanager
async def chromium(*, width: int = 1440, height: int = 900, scale: float = 1.0) -> AsyncIterator[Page]:
    """A fresh browser with one empty tab; nothing of it is left afterwards."""
    path = chromium_path()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            path,
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            address = await _devtools(process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{address}/json/list") as response:
                    tabs = [tab for tab in await response.json() if tab["type"] == "page"]
                socket = await session.ws_connect(tabs[0]["webSocketDebuggerUrl"], max_msg_size=0)
                page = Page(socket)
                try:
                    for domain in ("Page", "Runtime", "Log"):
                        await page.send(f"{domain}.enable")
                    await page.resize(width, height, scale=scale)
                    yield page
                finally:
                    await page.close()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()
