"""`python -m bot.demo.workspace --manifest manifest.yml`: the workspace alone, to look at."""

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

import yaml

from bot.demo.workspace import Workspace


async def _serve(workspace: Workspace) -> None:
    await workspace.start()
    lines = (
        f"page             {workspace.base_url}",
        f"base_url         {workspace.api_url}",
        f"SLACK_BOT_TOKEN  {workspace.bot_token}",
        f"SLACK_APP_TOKEN  {workspace.app_token}",
    )
    sys.stdout.write("\n".join(lines) + "\nCtrl-C ends it.\n")
    sys.stdout.flush()
    try:
        await asyncio.Event().wait()
    finally:
        await workspace.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bot.demo.workspace", description=__doc__)
    parser.add_argument("--manifest", type=Path, default=Path("manifest.yml"), help="the app's manifest (YAML)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        workspace = Workspace(yaml.safe_load(arguments.manifest.read_text()), port=arguments.port)
        asyncio.run(_serve(workspace))


if __name__ == "__main__":
    main()
