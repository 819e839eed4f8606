"""`autoheal serve` for benchmarks/chaos.py, with a model that follows a script and one service whose state is a file.

    python tests/bot/chaos_serve.py TARGET

All else is as an operator runs it: by environment variables, with the real engine, store and Slack side.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]  # not this folder


def main(target: Path) -> int:
    """The exit code of `autoheal serve`."""
    from bot import assemble, cli
    from tests.bot.upgrade.estate import EveryTenant, Investigator, toolbox

    @asynccontextmanager
    async def estate(*_: Any, **__: Any) -> AsyncIterator[assemble.Estate]:
        yield EveryTenant(file=None, toolbox=toolbox(target, assemble.now))

    with patch.object(assemble, "open_estate", estate), patch.object(assemble, "OfflineModel", Investigator):
        return cli.main(["serve"])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
