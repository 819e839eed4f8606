"""`autoheal setup`: the link that creates the Slack app."""

import argparse

HELP = "print the link that creates the Slack app"


def run(_: argparse.Namespace) -> int:
    from bot.setup import print_setup

    return print_setup()
