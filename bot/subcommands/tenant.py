"""`autoheal tenant`: a workspace's settings, and its end."""

import argparse

HELP = "show or change a workspace's settings; close it"
PLACE = 5


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "autoheal tenant [ID [NAME=VALUE ...]] | tenant close ID [--now]"
    parser.add_argument("id", nargs="?", help="which one; without it they are listed; or `close`")
    parser.add_argument("changes", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--now", action="store_true", help="with close: delete at once instead of in seven days")


def run(chosen: argparse.Namespace) -> int:
    if chosen.id == "close":
        return _close(chosen)
    from bot.tenant_settings import tenant

    return tenant(chosen.id, chosen.changes)


def _close(chosen: argparse.Namespace) -> int:
    import asyncio

    from bot.settings import SettingsError, load_settings
    from bot.tenant_end import close

    if len(chosen.changes) != 1:
        raise SettingsError("write: autoheal tenant close ID [--now]")
    print("\n".join(asyncio.run(close(load_settings(), chosen.changes[0], now=chosen.now))))
    return 0
