"""`autoheal setup`: the link that creates the Slack app."""

import argparse

HELP = "print the link that creates the Slack app"
PLACE = 1
DESCRIPTION = """Prints the link that creates the Slack app with its scopes, and what to do next. Needs no settings."""


def run(_: argparse.Namespace) -> int:
    from bot.setup import print_setup

    return print_setup()
