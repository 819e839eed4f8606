"""`autoheal events export`: what happened, as CloudEvents, a JSON object a line."""

import argparse
import asyncio

HELP = "export events as CloudEvents, one JSON object a line"
PLACE = 8


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write events to standard output")
    export.add_argument("--tenant", metavar="ID", help="only this tenant's; without it those of all")
    export.add_argument("--since", metavar="TIME", help="from this day or time on, as 2026-11-05 or 2026-11-05T02:41Z")
    export.add_argument("--until", metavar="TIME", help="before this day or time")


def run(chosen: argparse.Namespace) -> int:
    from bot.records import export_events

    return asyncio.run(export_events(tenant=chosen.tenant, since=chosen.since, until=chosen.until))
