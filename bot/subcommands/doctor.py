"""`autoheal doctor`: every credential, scope and channel, tried."""

import argparse
import asyncio

HELP = "test every credential, scope and channel"


def run(_: argparse.Namespace) -> int:
    from bot.doctor import examine

    return asyncio.run(examine())
