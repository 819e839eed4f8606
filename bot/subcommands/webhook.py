"""`autoheal webhook`: a workspace's addresses for alerts and changes from elsewhere, by the operator."""

import argparse

HELP = "make, list, rotate or delete addresses where other systems send alerts and changes"
PLACE = 6


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "autoheal webhook TENANT [add PROVIDER [NAME=VALUE ...] | rotate ID | delete ID] [--secret-stdin]"
    parser.add_argument("tenant", help="the workspace's id; `autoheal tenant` lists them")
    parser.add_argument("action", nargs="?", choices=("add", "rotate", "delete"))
    parser.add_argument("words", nargs="*", metavar="PROVIDER|ID|NAME=VALUE")
    parser.add_argument("--label", default="", help="what it is called")
    parser.add_argument("--secret-stdin", action="store_true", help="read the vendor's own secret from the input")


def run(chosen: argparse.Namespace) -> int:
    import asyncio
    import sys

    from bot.settings import load_settings
    from bot.webhook_commands import administer

    secret = sys.stdin.readline().strip() if chosen.secret_stdin else None
    lines = asyncio.run(
        administer(load_settings(), chosen.tenant, chosen.action, chosen.words, label=chosen.label, secret=secret)
    )
    print("\n".join(lines))
    return 0
