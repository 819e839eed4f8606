"""`autoheal serve | demo | setup | doctor | migrate`: the command line. Each command imports what it needs when it
runs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: done; 1: something is wrong and said so; 2: the command line or the settings cannot be used."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    command: Command | None = getattr(chosen, "command", None)
    if command is None:
        parser.print_help()
        return 2
    try:
        return command(chosen)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autoheal", description="An AI SRE co-pilot in Slack.")
    commands = parser.add_subparsers(metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer in Slack (settings come from environment variables)")
    serve.set_defaults(command=_serve)
    demo = commands.add_parser("demo", help="a local workspace and a shop that really breaks; no account needed")
    demo.add_argument("--scenario", default="config-cut", help="a name, `random` or `all`")
    demo.add_argument("--seed", type=int, default=None, help="varies names, the faulty place, onset and load")
    demo.add_argument("--headless", action="store_true", help="approve by itself and end, without a page")
    demo.add_argument("--json", action="store_true", help="with --headless: one JSON line per scenario")
    demo.add_argument("--port", type=int, default=0, help="port of the page; 0 takes a free one")
    demo.set_defaults(command=_demo)
    commands.add_parser("setup", help="print the link that creates the Slack app").set_defaults(command=_setup)
    commands.add_parser("doctor", help="test every credential, scope and channel").set_defaults(command=_doctor)
    tenant = commands.add_parser("tenant", help="show or change a workspace's settings")
    tenant.add_argument("id", nargs="?", help="which one; without it they are listed")
    tenant.add_argument("changes", nargs="*", metavar="NAME=VALUE")
    tenant.set_defaults(command=_tenant)
    commands.add_parser("migrate", help="bring the databases to this version").set_defaults(command=_migrate)
    return parser


def _serve(_: argparse.Namespace) -> int:
    from bot.serve import serve

    return _guarded(serve)


def _demo(chosen: argparse.Namespace) -> int:
    from bot.demonstration import Choice, demonstrate

    choice = Choice(
        scenario=chosen.scenario, seed=chosen.seed, headless=chosen.headless, as_json=chosen.json, port=chosen.port
    )
    return asyncio.run(demonstrate(choice))


def _setup(_: argparse.Namespace) -> int:
    from bot.setup import print_setup

    return print_setup()


def _doctor(_: argparse.Namespace) -> int:
    from bot.doctor import examine

    return _guarded(lambda: asyncio.run(examine()))


def _tenant(chosen: argparse.Namespace) -> int:
    from bot.tenant import tenant

    return _guarded(lambda: tenant(chosen.id, chosen.changes))


def _migrate(_: argparse.Namespace) -> int:
    from bot.serve import migrate_databases

    return _guarded(migrate_databases)


def _guarded(work: Callable[[], int]) -> int:
    """Known refusals become a message and exit code 2; anything else is a bug and keeps its traceback."""
    from bot.serve import REFUSALS

    try:
        return work()
    except REFUSALS as exc:
        print(exc, file=sys.stderr)
        return 2
