"""Which files people wrote, and which machines did: the latter come last, and what a cap keeps out is theirs.

A lock file, generated code or a vendored library can be a thousand times as long as the one line that matters.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Final

_LOCKS: Final = (
    "*.lock", "*.lockfile", "*-lock.json", "*-lock.yaml", "*.lock.json", "*.lockb", "npm-shrinkwrap.json", "go.sum",
    "*.lock.hcl",
)  # fmt: skip
_GENERATED: Final = (
    "*.min.js", "*.min.css", "*.map", "*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*.pb.go", "*.pb.cc", "*.pb.h",
    "*.generated.*", "*_generated.*", "*.g.dart", "*.designer.cs", "*.snap", "*.svg",
)  # fmt: skip
NAMES: Final = (*_LOCKS, *_GENERATED)
"""As shell patterns of a file's name."""
FOLDERS: Final = ("vendor", "node_modules", "third_party", "generated", "dist", "__snapshots__")


def is_machine_written(path: str) -> bool:
    """By its name and the folders that it lies in."""
    parts = PurePosixPath(path).parts
    return any(folder in parts[:-1] for folder in FOLDERS) or any(fnmatchcase(parts[-1], name) for name in NAMES)
