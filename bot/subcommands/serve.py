"""`autoheal serve`: answers in Slack until it is stopped."""

import argparse

HELP = "answer in Slack (settings come from environment variables)"
PLACE = 3
DESCRIPTION = """Answers in Slack until Ctrl-C or SIGTERM; what is unfinished then goes on at the next start.
Settings come from environment variables: docs/operating.md lists them."""


def run(_: argparse.Namespace) -> int:
    from bot.serve import serve

    return serve()
