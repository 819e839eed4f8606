"""The page docs/how-to/use-from-a-coding-agent.md tells the truth: its commands and its program are run."""

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path

from handlers.mcp.tool import discover_mcp_tools
from tests.conftest import missing
from tests.handlers.mcp.caller import Door
from tests.store.accounts import GOOD

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "use-from-a-coding-agent.md").read_text()
WAITS_S = 60


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def run(folder: Path, *command: str, **variables: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), WAITS_S)
    assert process.returncode == 0, errors.decode()
    return out.decode()


async def test_the_commands_of_the_page_make_a_token_and_use_it(door: Door, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        missing("curl is not installed")
    make, look = blocks("sh")
    url = door.url.removesuffix("/mcp").replace("127.0.0.1", "localhost")
    signed_in = {"AUTOHEAL_EMAIL": "member@acme.example", "AUTOHEAL_PASSWORD": GOOD.reveal()}
    made = await run(tmp_path, "bash", "-euc", make, AUTOHEAL_URL=url, **signed_in)
    token = json.loads(made.rpartition('{"done":true}')[2])["token"]
    shown = json.loads(await run(tmp_path, "bash", "-euc", look, AUTOHEAL_URL=url, AUTOHEAL_TOKEN=token))
    assert {one["name"] for one in shown["result"]["tools"]} == set(discover_mcp_tools())
    (program,) = blocks("python")
    said = await run(tmp_path, sys.executable, "-c", program, AUTOHEAL_URL=url, AUTOHEAL_TOKEN=token)
    assert said.strip() == "No incident is open that you may see."


def test_the_page_names_every_tool_with_its_scope() -> None:
    shown = dict(re.findall(r"^\| `(\w+)` \|.*\| `(\w+)` \|$", PAGE, re.MULTILINE))
    assert shown == {name: one.permission.value for name, one in discover_mcp_tools().items()}
    (config,) = blocks("json")
    assert json.loads(config)["mcpServers"]["autoheal"]["url"].endswith("/mcp")
