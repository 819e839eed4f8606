"""`autoheal setup`: the link that creates the Slack app."""

import argparse
import sys
from urllib.parse import urlsplit

HELP = "print the link that creates the Slack app"
PLACE = 1
DESCRIPTION = """Prints the link that creates the Slack app with its scopes, and what to do next. Needs no settings.
At a terminal it asks one thing: where the mark of destroyed keys is kept."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--public-url",
        metavar="https://HOST",
        type=_address,
        help="for several workspaces, which install the app themselves: where this Autoheal is reached",
    )


def run(chosen: argparse.Namespace) -> int:
    from bot.setup import print_setup

    return print_setup(input if sys.stdin.isatty() else None, public_url=chosen.public_url)


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise argparse.ArgumentTypeError("is https://host, without a path")
    return f"https://{parts.netloc}"
