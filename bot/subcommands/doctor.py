"""`autoheal doctor`: every credential, scope and channel, tried."""

import argparse
import asyncio

HELP = "test every credential, scope and channel"
PLACE = 2
DESCRIPTION = """Tries every credential, scope, channel and connected tool, and says in words what is missing.
Exit code 0: all well; 1: something is a problem."""


def run(_: argparse.Namespace) -> int:
    from bot.doctor import examine

    return asyncio.run(examine())
