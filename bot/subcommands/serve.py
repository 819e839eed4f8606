"""`autoheal serve`: answers in Slack until it is stopped."""

import argparse

HELP = "answer in Slack (settings come from environment variables)"


def run(_: argparse.Namespace) -> int:
    from bot.serve import serve

    return serve()
