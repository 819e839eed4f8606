"""Log lines of any program: their time, level and message, with what was not understood told apart.

Everything that reads log records takes them through here: files of this host and, later, logs that other systems keep.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from agents.evidence.logs.lines.levels import LEVELS, rank
from agents.evidence.logs.lines.parsed import ParsedLine
from agents.evidence.logs.lines.recogniser import Recogniser, Understood

__all__ = ("LEVELS", "ParsedLine", "Recogniser", "Understood", "parse_line", "rank")


def parse_line(raw: bytes, zone: tzinfo, *, written: datetime | None = None) -> ParsedLine:
    """One line by itself, of a file that was last written at `written` (now when left out)."""
    return Recogniser(zone, written=written or datetime.now(UTC)).read(raw)
