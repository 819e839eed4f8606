"""`autoheal migrate`: both databases to this version's schema."""

import argparse

HELP = "bring the databases to this version"
PLACE = 13


def run(_: argparse.Namespace) -> int:
    from bot.serve import migrate_databases

    return migrate_databases()
