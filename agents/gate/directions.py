"""Up or down, before and now, as a sentence says it and as the cited cells say it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal

from agents.gate.cells import Cell
from agents.gate.cited import Cited
from agents.gate.matching import STEADY, fits, tense_of, with_units
from agents.gate.quantities import Parsed
from agents.rows import Configured, Moved

Direction = Literal["up", "down"]


_UP: Final = re.compile(
    r"\b(?:rises?|rose|risen|rising|grows?|grew|grown|growing|growth|climb(?:s|ed|ing)?|increas\w+|jump(?:s|ed)?"
    r"|surg\w+|soar\w*"
    r"|spik(?:es?|ed)|higher|more|worse\w*|rais(?:es?|ed)|doubl\w+|tripl\w+|quadrupl\w+|longer|larger|bigger"
    r"|greater|slower|swell\w*|expand\w*|up (?:from|by)"
    r"|multipl\w+|shot up|\d+-fold|\w+-fold|climbing|accumulat\w+|went up|exploded?)\b"
)


_DOWN: Final = re.compile(
    r"\b(?:falls?|fell|fallen|falling|drop(?:s|ped|ping)?|sinks?|sank|sunk|shrinks?|shrank|shrunk|decreas\w+"
    r"|declin\w+|reduc\w+"
    r"|lower(?:ed|s)?|fewer|less|shorter|cut|cuts|smaller|halv\w+|shorten\w*|diminish\w*|plung\w+|collaps\w+"
    r"|recover\w*|improv\w+|dwindl\w+"
    r"|subsid\w+|tighten\w*|faster|quicker|down (?:to|from|by)|went down|eased)\b"
)


_NO_DIRECTION: Final = re.compile(
    r"\b(?:more|less|fewer|longer|higher|lower|greater|larger|smaller|shorter|no more|no less) than (?=[\d~]|a "
    r"|an |half|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty"
    r"|sixty|seventy|eighty|ninety|\w+ (?:quarters|thirds))"
    r"|\bcuts? (?:\w+ ){0,3}off\b|\bbreak down\b|\bdown for\b|\b(?:is|are|was|were|has been|been) (?:down"
    r"|up)\b(?! to| from| by)|\bup to\b|\b(?:giv\w+|gave|end\w*|set|tak\w+|held|hold\w*|use[sd]?|start\w*|back)"
    r" up\b|\bcut too short\b|\btime out\b|\bmore exist\b|\bonce more\b|\bany more\b|\bno longer\b|\bmore often\b"
)


def said_direction(parsed: Parsed) -> Direction | None:
    """Up or down, where the sentence says one of them."""
    text = _NO_DIRECTION.sub(" ", parsed.rest)
    up, down = _UP.search(text) is not None, _DOWN.search(text) is not None
    return None if up == down else "up" if up else "down"


def went(cited: Sequence[Cited], parsed: Parsed) -> Direction | None:
    """Up or down, where the cited cells tell."""
    for one in cited:
        moved = [row for row in one.rows if isinstance(row, Moved)]
        if moved and all(_way(r.before, r.now) == _way(moved[0].before, moved[0].now) for r in moved):
            return _way(moved[0].before, moved[0].now)
    for one in cited:
        if found := _in_series(one, parsed):
            return found
    if any(isinstance(row, Configured) for one in cited for row in one.rows):
        return _of_settings([cell for one in cited for cell in one.cells])
    cells = [cell for one in cited for cell in one.cells if cell.sign]
    for cell in cells:
        after = next((c for c in cells if c.sign == "+" and c.keys & cell.keys), None)
        if cell.sign == "-" and after is not None:
            return _way(cell.value, after.value)
    return None


def _of_settings(cells: Sequence[Cell]) -> Direction | None:
    """The way that all cited settings went, None where they went both."""
    ways = {
        _way(cell.value, after.value)
        for cell in cells
        for after in cells
        if cell.role == "before" and after.role == "now" and cell.keys & after.keys == cell.keys
    }
    return ways.pop() if len(ways) == 1 else None


def _way(before: float, now: float) -> Direction | None:
    return None if before == now else "up" if now > before else "down"


def _in_series(one: Cited, parsed: Parsed) -> Direction | None:
    series: dict[int, list[Cell]] = {}
    for cell in one.cells:
        if cell.series >= 0:
            series.setdefault(cell.series, []).append(cell)
    for cells in series.values():
        quoted = [c for c in cells if c.quoted]
        if parsed.clocks and len(quoted) < 2:
            timed = [c for c in cells if c.at and any(f"{c.at:%H:%M:%S}".startswith(k) for k, _ in parsed.clocks)]
            quoted = timed if len(timed) > 1 else quoted
        if len(quoted) == 1:
            place = cells.index(quoted[0])
            quoted = [cells[place - 1], quoted[0]] if place else cells[:2]
        if len(quoted) > 1 and abs(quoted[-1].value - quoted[0].value) > 0.02 * max(abs(quoted[0].value), 1e-12):
            return _way(quoted[0].value, quoted[-1].value)
    return None


def swapped(parsed: Parsed, cited: Sequence[Cited]) -> str | None:
    """`from A to B` where the result says from B to A."""
    quantities = with_units(parsed)
    for one, other in pairwise(quantities):
        if tense_of(one, parsed) != "before" or tense_of(other, parsed) != "now":
            continue
        for proof in cited:
            for row in proof.rows:
                if isinstance(row, Moved | Configured):
                    cells = [c for c in proof.cells if c.role in ("before", "now")]
                    a = {c.role for c in cells if fits(one, c, parsed)}
                    b = {c.role for c in cells if fits(other, c, parsed)}
                    if a == {"now"} and b == {"before"}:
                        return "before and now are swapped"
            first = [c.at for c in proof.cells if c.series >= 0 and c.quoted and c.at and fits(one, c, parsed)]
            then = [c.at for c in proof.cells if c.series >= 0 and c.quoted and c.at and fits(other, c, parsed)]
            if first and then and min(first) > max(then) and not STEADY.search(parsed.text):
                return "before and now are swapped"
    return None
