"""What looks like a value: numbers, times, addresses, ids, paths. The same rules for every system.

Masking works on levelled text, in which every digit is 0 and runs of digits are short: values differ, forms repeat.
"""

import re
from collections.abc import Iterable

WILD = "<*>"
MAX_WORDS = 150
MAX_CACHED = 20_000
PROBED = 4_000  # characters
BINARY = 0.1  # share of unprintable characters
_LONG_ID = re.compile(
    r"([ \[(,=])(?=[0-9]*+[a-f])(?=[a-f]*+[0-9])[0-9a-f]{8,}+(?:-[0-9a-f]{4,}+)*+(?![\w:-])"  # a trace's id, mostly
)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")
_LEVEL = bytes.maketrans(b"123456789", b"0" * 9)

_VALUE = re.compile(
    r"""
    (?<![\w:])(?=[a-fA-F:]*+0)[0a-fA-F]{1,4}+(?:::?[0a-fA-F]{1,4}+){2,}+(?!\w)  # hardware or IPv6 address
  | (?<![\w.-])(?:[\w-]++\.){2,}[a-zA-Z][\w-]*:0+(?!\w)                # host and port
  | (?<![\w.])(?=[a-fA-F-]*+0)(?=0*+[a-fA-F-])[0a-fA-F]++(?:-[0a-fA-F]++)*+(?!\w)  # hexadecimal, UUID
  | (?<!\w)[a-zA-Z][a-zA-Z0+.-]{0,20}://[^\s"'<>,;)\]]*[^\s"'<>,;)\]:.]  # URL
  | (?<![\w.])0[xX][0a-fA-F]+(?!\w)
  | (?<!\w)(?=0*[a-fA-F])(?:(?=[a-fA-F]*0)[0a-fA-F]{2,}|[a-fA-F]{8,})(?!\w)       # hexadecimal
  | (?<!\w)[a-zA-Z]*+0++[a-zA-Z]++0[0a-zA-Z]*+(?!\w)                # digits and letters in turn: an id
  | (?<!\w)[A-Za-z]:\\[^\s"'<>|,;)]*                                # path on Windows
  | (?<![\w./<>])(?:/+[\w.@%+~-]+)+/?(?:\?[^\s"'<>]*)?              # path, with its query
  | (?:(?<![\w.)\]])[-+])?0+(?:\.0+|[,:/]0+(?![0a-zA-Z]))*          # number, time, and its unit:
    (?:(?:[KMGTkmgt]i?[bB]?|[munµ]?s|%)(?![a-zA-Z]))?
    """,
    re.VERBOSE,
)
_MAY_HOLD_VALUE = re.compile(r"[0/\\]|[a-fA-F]{8}")
_AMOUNT = re.compile(
    r"<\*>(?: (?:[KMGT]i?B|B|bytes?|[mu]?secs?|(?:milli|micro)?seconds?|min(?:ute)?s?|hours?|days?|ms)(?![\w(]))?"
    r"(?: \(<\*> [KMGT]i?B\))?"  # the same again in another unit
)
_LIST = re.compile(r"<\*>(?:(?:[-_]?<\*>)+|(?:, ?<\*>){2,}|(?: <\*>){4,})")
_DATE = re.compile(
    r"(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
    r" <\*>,?(?: <\*>)?(?: [A-Z]{3,4})?(?: <\*>)?(?!\w)"
)
_MONTH = re.compile(r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* <\*>")


class Masks(dict[str, str]):
    """Word to masked word, made when first asked for. Emptied when full: it is only a cache."""

    def __missing__(self, word: str) -> str:
        masked = _VALUE.sub(WILD, word) if _MAY_HOLD_VALUE.search(word) else word
        if len(self) >= MAX_CACHED:
            self.clear()
        self[word] = masked
        return masked


def level(lines: Iterable[str]) -> list[str]:
    """Each line with its digits as 0 and runs of them shortened. The lines must hold no line feed.

    Where there are many long ids they become one short id: it is masked just as they would be, and lines repeat.
    """
    text = "\n".join(lines)
    if _LONG_ID.search(text, 0, PROBED):
        text = _LONG_ID.sub(r"\g<1>0a", text)
    data = text.encode("utf-8", "surrogatepass").translate(_LEVEL)
    data = data.replace(b"000", b"0").replace(b"00", b"0")  # not to the end: long runs keep a little of their length
    return data.decode("utf-8", "surrogatepass").split("\n")


def mask_words(levelled: str, masks: Masks) -> str:
    """A levelled line with the values in its words as `<*>`, and single blanks. Binary data is one value."""
    if not levelled.isprintable() and len(_UNPRINTABLE.findall(levelled)) > BINARY * len(levelled):
        return WILD
    words = levelled.split(None, MAX_WORDS)
    if len(words) > MAX_WORDS:
        words[MAX_WORDS:] = [WILD]
    return " ".join(map(masks.__getitem__, words))


def mask_spans(line: str) -> str:
    """The masked words of a line with the values that take several words as one `<*>`."""
    if WILD not in line:
        return line
    line = _AMOUNT.sub(WILD, line.replace("<<*>", WILD))  # less than 1
    if _MONTH.search(line):
        line = _DATE.sub(WILD, line)
    return _LIST.sub(WILD, line)
