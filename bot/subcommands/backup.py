"""`autoheal backup`: made, listed, put back, and forgotten."""

import argparse

HELP = "backups: create, list, restore, expire"
PLACE = 11


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("create", help="make one now, and read it back")
    actions.add_parser("list", help="those of AUTOHEAL_BACKUP_FOLDER, newest first")
    restore = actions.add_parser("restore", help="put one back; only while `autoheal serve` is stopped")
    restore.add_argument("id", help="as listed, or `latest`")
    restore.add_argument("--replace", action="store_true", help="the place holds tenants: replace them")
    actions.add_parser("expire", help="delete those that are older than 30 days")


def run(chosen: argparse.Namespace) -> int:
    from bot import safekeeping
    from bot.settings import load_settings

    told = safekeeping.run(
        chosen.action,
        load_settings(),
        backup_id=getattr(chosen, "id", ""),
        replace=getattr(chosen, "replace", False),
    )
    print("\n".join(told))
    return 0
