"""The lines of a log without their secrets: the one place that all of them pass, in the order in which they were
written and with their neighbours, before a search, a miner or a cap sees them.

It runs where they are read, in the evidence worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agents.errors import Unavailable
from agents.evidence.types import LogLine
from store.secrets.redacted_rows import redact_fields, redact_texts
from store.secrets.redaction import RedactionFailed, Redactor

LONGEST: Final = 8_000
"""Characters of a line's text that are kept."""
READ: Final = 2 * LONGEST
"""Characters to read of it, so that a secret at the cut is recognised."""
AROUND: Final = 16_384
"""Bytes to read before and after what is asked for: a key block that began earlier is known by its first line."""


def clean_lines(lines: Sequence[LogLine], redactor: Redactor) -> list[LogLine]:
    """Lines of one log in the order in which they were written. Raises Unavailable when they cannot be judged."""
    told = [line for line in lines if line.fields]
    levels = list({line.level for line in lines})
    try:
        texts = redact_texts(redactor, [line.text for line in lines], keep=LONGEST)
        rows = iter(redact_fields(redactor, [line.fields for line in told]))
        cleaned = dict(zip(levels, redact_texts(redactor, levels), strict=True))
    except RedactionFailed as exc:
        raise Unavailable("its lines could not be made safe to show, so they were not read") from exc
    return [
        LogLine(
            time=line.time,
            service=line.service,
            level=cleaned[line.level],
            text=text,
            fields=next(rows) if line.fields else line.fields,
        )
        for line, text in zip(lines, texts, strict=True)
    ]
