"""`autoheal audit verify`: whether anybody changed the past. `autoheal audit key`: the key to check heads with."""

import argparse
import asyncio
from pathlib import Path

HELP = "verify the audit logs against their signed heads"
PLACE = 9


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    verify = actions.add_parser("verify", help="exit code 1 when an entry was changed, removed or added")
    verify.add_argument("--tenant", metavar="ID", help="only this tenant's; without it those of all")
    verify.add_argument("--anchors", metavar="FILE", type=Path, help="a copy of the signed heads, kept elsewhere")
    actions.add_parser("key", help="print the public key of the signed heads")


def run(chosen: argparse.Namespace) -> int:
    from bot.records import print_public_key, verify_audit

    if chosen.action == "key":
        return asyncio.run(print_public_key())
    return asyncio.run(verify_audit(tenant=chosen.tenant, checkpoints=chosen.anchors))
