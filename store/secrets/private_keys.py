"""Private keys: whole blocks, blocks without their end or their beginning, and PuTTY's files.

A block is known by its first or its last line; what stands beside that goes with it as far as it looks like a key.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

import re2

from store.secrets.pairs import BOUNDARY, SecretRule, TextSpan

LONGEST_KEY: Final = 16_000
_KIND: Final = "private_key"
_BEGIN: Final = re2.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_END: Final = re2.compile(r"-{4,5} ?END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_LINE_END: Final = re.compile(r"((?:\\{1,4}[rn]|[\r\n])+)")
_LINE: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{16,}={0,2}[\"',\s\\]*$")
_SHORT_LINE: Final = re.compile(r"(?:^|.*[\s\"'])[A-Za-z0-9+/]+={0,2}[\"',\s\\]*$")
_HEAD: Final = re.compile(r"(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): ")
_LAST: Final = 2  # parts before a block's last line: the line's own beginning, the line end, the last line of letters
_PUTTY: Final = re2.compile(r"Private-Lines: ?(?P<lines>[0-9]{1,3})")
_PUTTY_MAC: Final = re2.compile(r"Private-(?:MAC|Hash): ?(?P<mac>[0-9a-fA-F]{16,})")


def _blocks(text: str) -> Iterator[TextSpan]:
    begins = list(_BEGIN.finditer(text))
    ends = [(found.start(), found.end()) for found in _END.finditer(text)]
    closed = [end for _, end in ends]
    taken = 0  # up to where a block with both of its lines reaches
    for begin, following in zip(begins, [*(found.start() for found in begins[1:]), len(text)], strict=False):
        at = bisect_right(closed, begin.end())
        until = begin.end() + LONGEST_KEY
        if at < len(closed) and closed[at] <= until and BOUNDARY not in text[begin.end() : closed[at]]:
            taken = closed[at]
            yield TextSpan(begin.start(), taken, _KIND)
        else:
            yield TextSpan(begin.start(), _behind(text, begin.end(), min(following, until)), _KIND)
    covered = [(found.start(), found.end()) for found in begins]
    before = 0
    for start, end in ends:
        at = bisect_right(covered, (start, start)) - 1
        opened = covered[at][1] if at >= 0 else 0
        if opened <= before or BOUNDARY in text[opened:start] or start - opened > LONGEST_KEY:
            yield TextSpan(_ahead(text, max(before, start - LONGEST_KEY), start), end, _KIND)
        before = end


def _behind(text: str, at: int, until: int) -> int:
    """Where a block without its last line ends: with the lines that look like a key."""
    first = True
    for part in _parts(text, at, until):
        if (
            not first
            and part.strip()
            and not _LINE_END.fullmatch(part)
            and not (_LINE.search(part) or _HEAD.search(part))
        ):
            break
        first = False
        at += len(part)
    return at


def _parts(text: str, at: int, until: int) -> Iterator[str]:
    """Lines and the ends between them, one by one: most blocks stop long before `until`."""
    for found in _LINE_END.finditer(text, at, until):
        yield text[at : found.start()]
        yield found.group()
        at = found.end()
    yield text[at:until]


def _ahead(text: str, at: int, until: int) -> int:
    """Where a block without its first line begins."""
    begin = until
    for number, part in enumerate(reversed(_LINE_END.split(text[at:until]))):
        if _is_text(part) and not _LINE.search(part) and not (number <= _LAST and _SHORT_LINE.match(part)):
            break
        begin -= len(part)
    return begin


def _is_text(part: str) -> bool:
    return bool(part.strip()) and _LINE_END.fullmatch(part) is None


def _putty(text: str) -> Iterator[TextSpan]:
    for found in _PUTTY.finditer(text):
        parts = _LINE_END.split(text[found.end() : found.end() + LONGEST_KEY])
        lines = 2 * int(found.group("lines")) + 1
        yield TextSpan(found.end(), found.end() + sum(map(len, parts[:lines])), _KIND)
    before = 0
    for found in _PUTTY_MAC.finditer(text):
        begin = _ahead(text, max(before, found.start() - LONGEST_KEY), found.start())
        yield TextSpan(begin, found.end(), _KIND)
        before = found.end()


RULES: Final = (
    SecretRule(r"-{4} ?(?:BEGIN|END) [A-Z0-9 ]*PRIVATE KEY", _blocks, LONGEST_KEY),
    SecretRule(r"Private-(?:Lines|MAC|Hash): ?[0-9a-fA-F]", _putty, LONGEST_KEY),
)
