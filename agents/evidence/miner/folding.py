"""Stack traces: which lines belong to the line before, and what a folded text says without its frames.

Java, Python, Go and Node. A trace is one event; its frames must neither become templates nor decide which one it is.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

_FRAME = re.compile(
    r"""\s+(?:at\s|\.{3}\s\d+\s(?:more|common))     # Java, Node
    |\s+File\s".*",\sline\s\d+                      # Python
    |\s+\S.*\.go:\d+(?:\s\+0x[0-9a-f]+)?$           # Go
    |[\w./*()\[\]{}-]+\((?:0x|\.\.\.|\{)?[^\s]*\)$  # Go: the function of a frame
    |created\sby\s\S+\.\S+
    |goroutine\s\d+.*:$
    """,
    re.VERBOSE,
)
_LEAD = re.compile(
    r"""(?:Caused\sby:\s|Suppressed:\s)
    |Traceback\s\(most\srecent\scall\slast\):
    |(?:During\shandling\sof\sthe\sabove|The\sabove\sexception\swas\sthe\sdirect\scause)
    """,
    re.VERBOSE,
)
_RAISED = re.compile(r"(?:[A-Za-z_][\w$]*\.)*[A-Z_][\w$]*(?:\s\[\w+\])?(?::\s|$)")
_HAS_FRAMES = re.compile(r"^\s+at\s|^\s+File\s\"|^goroutine\s\d+|^\s+\S+\.go:\d+", re.MULTILINE)
_PYTHON_LEAD = "Traceback (most recent call last):"


def continues(texts: Sequence[str]) -> list[bool]:
    """For each line of one writer, in order: does it belong to the line before it?"""
    out: list[bool] = []
    trace = ""  # "" outside a trace, "python" until its last line, else "frames"
    for text in texts:
        if not out:
            belongs = False
        elif text.startswith(_PYTHON_LEAD):
            belongs, trace = True, "python"
        elif trace == "python":
            belongs = True
            if text[:1] not in (" ", "\t", "") or (text and not text.strip()):
                trace = "frames" if _RAISED.match(text) else ""
                belongs = trace == "frames"
        elif (text[:1] in (" ", "\t") and text.strip()) or _LEAD.match(text) or _go_header(text, trace):
            belongs, trace = True, "frames"
        elif not text.strip():
            belongs = bool(trace)
        elif trace and _FRAME.match(text):
            belongs = True
        else:
            belongs, trace = False, ""
        out.append(belongs)
    return _with_raised(texts, out)


def fold(texts: Sequence[str]) -> list[str]:
    """The lines of one writer as events: what continues a line is joined to it with line breaks."""
    starts = [place for place, belongs in enumerate(continues(texts)) if not belongs]
    return ["\n".join(texts[start:end]) for start, end in pairwise([*starts, len(texts)])]


def spoken(text: str) -> str:
    """What a text says without the frames of a trace, in one line."""
    if "\n" not in text and "\r" not in text:
        return text
    rows = text.splitlines()
    if not _HAS_FRAMES.search(text):
        return " ".join(rows)
    kept, python = [rows[0]], rows[0].startswith(_PYTHON_LEAD)
    for row in rows[1:]:
        if row.startswith(_PYTHON_LEAD):
            python = True
        elif python and row[:1] in (" ", "\t"):
            continue
        elif not _FRAME.match(row):
            python = False
            kept.append(row)
    return " ".join(kept)


def _go_header(text: str, trace: str) -> bool:
    return text.startswith("goroutine ") and text.endswith(":") and (bool(trace) or "[" in text)


def _with_raised(texts: Sequence[str], belongs: list[bool]) -> list[bool]:
    """An exception's own line between a message and its frames belongs to the message."""
    for place in range(1, len(texts) - 1):
        if belongs[place] or not belongs[place + 1] or not _FRAME.match(texts[place + 1]):
            continue
        if _RAISED.match(texts[place]) and not belongs[place - 1]:
            belongs[place] = True
    return belongs
