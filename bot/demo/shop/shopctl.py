"""`shopctl`: deploys, rolls back, restarts and shows the services of a running shop.

Break it yourself: while the shop runs, edit `HOME/repo/services/<name>/app.py` (or its config.toml) and run
`python -m bot.demo.shop.shopctl --home HOME deploy <name>`. The edits are committed as "Update <name>" and deployed;
when the new process does not start, the old one stays and the reason is printed. `status --json` names the version of
before; `rollback <name> --to <that version>` goes back.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bot.demo.shop.control import ControlError, ask


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="shopctl", description="Works on the services of a running sample shop.")
    parser.add_argument("--home", type=Path, required=True, help="the folder of the running shop")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    deploy = commands.add_parser("deploy", help="deploy a service; uncommitted edits are committed first")
    deploy.add_argument("service")
    deploy.add_argument("--ref", help="commit, branch or tag to deploy (default: the newest commit of main)")
    rollback = commands.add_parser("rollback", help="go back to an earlier version")
    rollback.add_argument("service")
    rollback.add_argument("--to", dest="ref", required=True, metavar="REF")
    restart = commands.add_parser("restart", help="stop and start a service at the same version")
    restart.add_argument("service")
    status = commands.add_parser("status", help="what runs, since when, at which version")
    status.add_argument("service", nargs="?")
    status.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    request = {
        key: value for key, value in vars(options).items() if key in {"command", "service", "ref"} and value is not None
    }
    try:
        answer = ask(options.home, request)
    except ControlError as failure:
        sys.stderr.write(f"shopctl: {failure}\n")
        return failure.code
    if options.command == "status" and not options.json:
        sys.stdout.write(render(answer))
    else:
        sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def render(answer: dict[str, Any]) -> str:
    services = answer["services"] if "services" in answer else {answer["service"]: answer}
    lines = [
        f"{name:12} {one['state']:10} {one['version'][:12]}  since {one['started_at']}"
        f"  restarts {one['restarts']}  {one['url']}"
        for name, one in services.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
