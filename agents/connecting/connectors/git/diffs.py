"""Which files of a diff people wrote, as git's path arguments: what machines wrote comes last and is cut first."""

from __future__ import annotations

from typing import Final

from agents.connecting.machine_written import FOLDERS, NAMES

_PATTERNS: Final = (*(f"**/{name}" for name in NAMES), *(f"**/{folder}/**" for folder in FOLDERS))


def written_by_people(scope: tuple[str, ...]) -> tuple[str, ...]:
    """`scope` (what follows `--`) without machine-written files, as git's path arguments."""
    return (*scope, *(f":(exclude,glob){pattern}" for pattern in _PATTERNS))


def written_by_machines(scope: tuple[str, ...]) -> tuple[str, ...]:
    """Only those of `scope`."""
    folders = [f"{path.rstrip('/')}/" for path in scope] or [""]
    return tuple(f":(glob){folder}{pattern}" for folder in folders for pattern in _PATTERNS)
