"""`autoheal tenant`: a workspace's settings."""

import argparse

HELP = "show or change a workspace's settings"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="which one; without it they are listed")
    parser.add_argument("changes", nargs="*", metavar="NAME=VALUE")


def run(chosen: argparse.Namespace) -> int:
    from bot.tenant_settings import tenant

    return tenant(chosen.id, chosen.changes)
