"""Stack traces: which lines belong to the line before, and what a folded text says without its frames.

Java, Python, Go and Node. A trace is one event; its frames must neither become templates nor decide which one it is.
The lines must be of one writer, in the order written: a trace torn apart by another writer's lines is not mended.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

from agents.evidence.types import LogLine

MAX_FOLDED = 500  # lines in one event

_Trace = Literal["", "frames", "python", "go"]

_PYTHON = "Traceback (most recent call last):"
_PANIC = ("panic: ", "fatal error: ")
_AGAIN = re.compile(r"During handling of the above|The above exception was the direct cause")
_CAUSED = re.compile(r"Caused by: |Suppressed: |\.\.\. \d+ (?:more|common)")
_FRAME = re.compile(
    r"[ \t]+at \S|[ \t]+\.\.\. \d+ (?:more|common)|[ \t]+File \".*\", line \d+|[ \t]+\S.*\.go:\d+(?: \+0x[0-9a-f]+)?$"
)
_GOROUTINE = re.compile(r"goroutine \d+ \[.*\]:$")
_GO_CALL = re.compile(
    r"(?:created by )?[\w./*()-]+\.[\w.*()-]+(?:\(.*\)|\{.*\}| in goroutine \d+)?$|\[signal |exit status "
)
_RAISED = re.compile(r"(?:Exception in thread \S+ )?(?:[A-Za-z_$][\w$]*\.)*[A-Z][\w$]*(?: \[\w+\])?(?::|$)|Uncaught ")
_FAILURE = re.compile(r"error|exception|fail|fatal|panic|unhandled|uncaught|critical|severe|warn|caught", re.IGNORECASE)
_HAS_FRAMES = re.compile(r"^(?:[ \t]+at \S|[ \t]+File \"|[ \t]+\S.*\.go:\d+|goroutine \d+ )", re.MULTILINE)


def continues(texts: Sequence[str]) -> list[bool]:
    """For each line: does it belong to the line before it?"""
    out: list[bool] = []
    trace: _Trace = ""
    for place, text in enumerate(texts):
        before = texts[place - 1] if place else ""
        after = texts[place + 1] if place + 1 < len(texts) else ""
        belongs, trace = _continues(before, text, after, trace)
        out.append(belongs and place > 0)
    return out


def fold(texts: Sequence[str]) -> list[str]:
    """The lines of one writer as events: what continues a line is joined to it with line breaks."""
    return ["\n".join(texts[start:end]) for start, end in _events(texts)]


def fold_lines(lines: Sequence[LogLine]) -> list[LogLine]:
    """Lines with the traces folded into the line they belong to, service by service; an event stands where it began."""
    of_service: dict[str, list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        of_service[line.service].append(place)
    folded: list[tuple[int, LogLine]] = []
    for places in of_service.values():
        texts = [lines[place].text for place in places]
        for start, end in _events(texts):
            head = lines[places[start]]
            folded.append((places[start], head if end - start == 1 else _joined(head, texts[start:end])))
    return [line for _, line in sorted(folded, key=lambda item: item[0])]


def spoken(text: str) -> str:
    """What a text says without the frames of a trace, in one line."""
    if "\n" not in text:
        return text
    text = text.replace("\r\n", "\n")
    rows = text.split("\n")
    if not _HAS_FRAMES.search(text):
        return " ".join(rows)
    kept, trace = [rows[0]], _opens(rows[0])
    for row in rows[1:]:
        trace = _opens(row) or trace
        if _is_frame(row, trace) or row == _PYTHON or _GOROUTINE.match(row):
            continue
        kept.append(row)
        trace = "" if trace == "python" else trace
    return " ".join(kept)


def _events(texts: Sequence[str]) -> list[tuple[int, int]]:
    starts: list[int] = []
    for place, belongs in enumerate(continues(texts)):
        if not belongs or place - starts[-1] >= MAX_FOLDED:
            starts.append(place)
    return list(pairwise([*starts, len(texts)]))


def _joined(head: LogLine, texts: Sequence[str]) -> LogLine:
    return replace(head, text="\n".join(texts))


def _continues(before: str, text: str, after: str, trace: _Trace) -> tuple[bool, _Trace]:
    """Whether the line belongs to the one before, and the trace that it leaves open."""
    if text.startswith(_PANIC):
        return False, "go"
    opened = _opens(text)
    if opened:
        chained = trace == "go" or (trace and not before.strip())
        return bool(chained or (not trace and _FAILURE.search(before))), opened
    if not text.strip() or text[0] in " \t":
        return True, trace or ("frames" if _FRAME.match(text) else "")
    if trace == "python":
        return True, "frames"  # the exception itself, at the end of its trace
    if _goes_on(text, trace):
        return True, trace
    raised = bool(_FRAME.match(after) and _RAISED.match(text))
    message = not trace and _FAILURE.search(before) and not _RAISED.match(before)
    return bool(raised and message), "frames" if raised else ""


def _goes_on(text: str, trace: _Trace) -> bool:
    if trace == "go" and _GO_CALL.match(text):
        return True
    return bool(trace and (_CAUSED.match(text) or _AGAIN.match(text)))


def _opens(text: str) -> _Trace:
    if text.startswith(_PYTHON):
        return "python"
    return "go" if text.startswith(_PANIC) or _GOROUTINE.match(text) else ""


def _is_frame(row: str, trace: _Trace) -> bool:
    if trace == "python":
        return row[:1] in (" ", "\t", "")
    return bool(_FRAME.match(row)) or (trace == "go" and bool(_GO_CALL.match(row)))
