"""`autoheal serve` for benchmarks/chaos.py, with a model that follows a script and one service whose state is a file.

    python tests/bot/chaos_serve.py TARGET

All else is as an operator runs it: by environment variables, with the real engine, store and Slack side.
"""

import sys
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]  # not this folder


def main(target: Path) -> int:
    """The exit code of `autoheal serve`."""
    from bot import assemble, cli
    from tests.bot.upgrade.estate import Investigator, the_same_for_all, toolbox

    opened = the_same_for_all(toolbox(target, assemble.now))
    with patch.object(assemble, "open_toolboxes", opened), patch.object(assemble, "OfflineModel", Investigator):
        return cli.main(["serve"])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
