"""`autoheal export`: everything that a tenant has, as JSON or CSV."""

import argparse
import asyncio
from pathlib import Path

HELP = "write everything that a tenant has into a file"
PLACE = 7


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tenant", help="its id, as `autoheal tenant` lists it")
    parser.add_argument("--format", choices=("json", "csv"), default="json", help="csv is a zip with a file a table")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")


def run(chosen: argparse.Namespace) -> int:
    from bot.portability import export
    from bot.settings import load_settings

    told = asyncio.run(export(load_settings(), chosen.tenant, form=chosen.format, out=chosen.out))
    print("\n".join(told))
    return 0
