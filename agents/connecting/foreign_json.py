"""JSON that others wrote, read so that nothing in it can break who reads on: not its depth, not its numbers, not half a
character.

Python's own reader gives up deep documents with RecursionError, which is no ValueError; it makes whole numbers that no
float holds; and it spells lone halves of surrogate pairs (an escaped D800), which no store and no answer can hold.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_LONGEST: Final = 300  # digits; a float holds 308
_LONG_NUMBER: Final = re.compile(rb"\d{%d}" % _LONGEST)
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(document: bytes | str) -> Any:
    """Numbers of more than 300 digits are infinite, lone surrogates are U+FFFD. Raises ValueError, also for a document
    that is nested too deeply.
    """
    raw = document.encode("utf-8", "replace") if isinstance(document, str) else document
    try:
        found = json.loads(raw, parse_int=_whole) if _LONG_NUMBER.search(raw) else json.loads(raw)
        if _HALF.search(raw):
            whole = json.dumps(found, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            found = json.loads(whole)
    except RecursionError as exc:
        raise ValueError("the document is nested too deeply") from exc
    return found


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST else float(digits)
