"""`autoheal keys`: the master key, the data keys, and the ledger of those that were destroyed."""

import argparse
import asyncio

HELP = "keys: status, rotation, and what was shredded"
PLACE = 12


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("status", help="who holds the master key, and what is half done")
    actions.add_parser("rotate-master", help="a new master key; wrap all data keys by it")
    actions.add_parser("rewrap", help="wrap all data keys by the master key of AUTOHEAL_KEYS")
    tenant = actions.add_parser("rotate-tenant", help="a new data key; seal its rows anew while the system works")
    tenant.add_argument("id")
    tenant.add_argument("--at-once", action="store_true", help="seal at once; only while `autoheal serve` is stopped")
    ledger = actions.add_parser("shred-ledger", help="which keys were destroyed")
    ledger.add_argument(
        "--begin-anew", action="store_true", help="after it was lost for good: closed tenants may return"
    )
    ledger.add_argument(
        "--anchor-anew", action="store_true", help="after the file of AUTOHEAL_SHRED_MARK was lost for good"
    )


def run(chosen: argparse.Namespace) -> int:
    from bot import key_commands
    from bot.settings import load_settings

    settings = load_settings()
    match chosen.action:
        case "status":
            work = key_commands.show_status(settings)
        case "rotate-master":
            work = key_commands.rotate_master(settings)
        case "rewrap":
            work = key_commands.rewrap(settings)
        case "rotate-tenant":
            work = key_commands.rotate_tenant(settings, chosen.id, at_once=chosen.at_once)
        case _:
            work = key_commands.show_ledger(settings, begin_anew=chosen.begin_anew, write_mark_anew=chosen.anchor_anew)
    print("\n".join(asyncio.run(work)))
    return 0
