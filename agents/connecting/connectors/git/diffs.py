"""Which files of a diff people wrote, so that what machines wrote comes last and is cut first.

A lock file, generated code or a vendored library can be a thousand times as long as the one line that matters.
"""

from __future__ import annotations

from typing import Final

_LOCKS: Final = (
    "*.lock", "*.lockfile", "*-lock.json", "*-lock.yaml", "*.lock.json", "*.lockb", "npm-shrinkwrap.json", "go.sum",
    "*.lock.hcl",
)  # fmt: skip
_GENERATED: Final = (
    "*.min.js", "*.min.css", "*.map", "*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*.pb.go", "*.pb.cc", "*.pb.h",
    "*.generated.*", "*_generated.*", "*.g.dart", "*.designer.cs", "*.snap", "*.svg",
)  # fmt: skip
_FOLDERS: Final = ("vendor", "node_modules", "third_party", "generated", "dist", "__snapshots__")
_PATTERNS: Final = (
    *(f"**/{name}" for name in (*_LOCKS, *_GENERATED)),
    *(f"**/{folder}/**" for folder in _FOLDERS),
)


def written_by_people(scope: tuple[str, ...]) -> tuple[str, ...]:
    """`scope` (what follows `--`) without machine-written files, as git's path arguments."""
    return (*scope, *(f":(exclude,glob){pattern}" for pattern in _PATTERNS))


def written_by_machines(scope: tuple[str, ...]) -> tuple[str, ...]:
    """Only those of `scope`."""
    folders = [f"{path.rstrip('/')}/" for path in scope] or [""]
    return tuple(f":(glob){folder}{pattern}" for folder in folders for pattern in _PATTERNS)
