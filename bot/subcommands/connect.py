"""`autoheal connect`: an operator connects a tool for a workspace, by the same form as in Slack."""

import argparse

HELP = "connect a tool for a workspace; without a name, list what can be connected"
PLACE = 6


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "autoheal connect [NAME [FIELD=VALUE ...]] [--label LABEL] [--tenant ID]"
    parser.add_argument("name", nargs="?", help="such as github or prometheus")
    parser.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="a secret is written as FIELD=env:VARIABLE")
    parser.add_argument("--label", default="", help="what to call it, to tell several of a kind apart")
    parser.add_argument("--tenant", help="which workspace, where there are several; `autoheal tenant` lists them")


def run(chosen: argparse.Namespace) -> int:
    from bot.connecting import connect

    return connect(chosen.name, chosen.fields, label=chosen.label, tenant=chosen.tenant)
