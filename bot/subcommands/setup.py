"""`autoheal setup`: the link that creates the Slack app."""

import argparse
import sys

HELP = "print the link that creates the Slack app"
PLACE = 1
DESCRIPTION = """Prints the link that creates the Slack app with its scopes, and what to do next. Needs no settings.
At a terminal it asks one thing: where the mark of destroyed keys is kept."""


def run(_: argparse.Namespace) -> int:
    from bot.setup import print_setup

    return print_setup(input if sys.stdin.isatty() else None)
