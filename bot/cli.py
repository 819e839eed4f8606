"""`autoheal <command>`: one file a command under `subcommands/`, named like it.

A command's module has `HELP`, `run(chosen) -> exit code`, and `configure(parser)` where it takes arguments. `PLACE`
puts it where somebody who sets Autoheal up needs it, `DESCRIPTION` is what its own help says beyond `HELP`. It imports
what it needs when it runs, so that the command line answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import math
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from types import ModuleType
from typing import Final

from bot import subcommands

_REFUSED: Final = 2
_BUG: Final = 70
_AWAY: Final = 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: done, or stopped as asked; 1: something was looked at and is wrong; 2: the command line, the
    settings or the data cannot be used, and trying again does not help; 70: a bug, with its traceback; 75: what is
    needed is away, and trying again helps; 130: interrupted at the keyboard. 70 and 75 are those of sysexits.h.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    command: ModuleType | None = getattr(chosen, "command", None)
    if command is None:
        parser.print_help()
        return 2
    try:
        return _guarded(command, chosen)
    except KeyboardInterrupt:
        return 130


def discover_subcommands() -> list[tuple[str, ModuleType]]:
    """Name and module of each, in the order in which one needs them; what names no place comes last."""
    found = [
        (name, importlib.import_module(f"{subcommands.__name__}.{name}"))
        for _, name, _ in pkgutil.iter_modules(subcommands.__path__)
    ]
    return sorted(found, key=lambda command: (getattr(command[1], "PLACE", math.inf), command[0]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="autoheal",
        description="An AI SRE co-pilot in Slack: it finds what broke, proposes a fix, and applies it when approved.",
        epilog="`autoheal COMMAND --help` says more. Settings are environment variables: see docs/operating.md.",
    )
    parser.add_argument("--version", action="version", version=f"autoheal {metadata.version('autoheal')}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, module in discover_subcommands():
        text = getattr(module, "DESCRIPTION", f"{module.HELP[:1].upper()}{module.HELP[1:]}.")
        subparser = commands.add_parser(
            name, help=module.HELP, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if hasattr(module, "configure"):
            module.configure(subparser)
        subparser.set_defaults(command=module)
    return parser


def _guarded(command: ModuleType, chosen: argparse.Namespace) -> int:
    """Known refusals and absences become a sentence; anything else is a bug and keeps its traceback."""
    try:
        exit_code: int = command.run(chosen)
    except Exception as exc:  # noqa: BLE001 -- the outer guard of a command
        from bot.damage import told_damage
        from bot.serve import PASSING, REFUSALS  # a second of imports, only needed here
        from bot.waiting import absence

        away = absence(exc)
        if isinstance(exc, PASSING) or (away is not None and not isinstance(exc, REFUSALS)):
            print(exc if away is None else f"Try again later: {away}.", file=sys.stderr)
            return _AWAY
        damage = told_damage(exc)
        if isinstance(exc, REFUSALS) or damage is not None:
            print(damage or exc, file=sys.stderr)
            return _REFUSED
        traceback.print_exc()
        return _BUG
    return exit_code
