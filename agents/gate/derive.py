"""Compares a quantity with cited cells, and recomputes what is said to follow from them.

Differences, quotients, percentages, durations, means of two series, extremes of a series and counts of lines are
computed here again; nothing is taken from the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Final, Literal

from agents.gate.cited import Cell, Cited, all_cells
from agents.gate.evidence import Evidence
from agents.gate.quantities import Parsed, Quantity
from agents.gate.vocabulary import spread
from agents.gate.words import stem_set, stems
from agents.rows import Altered, Changed, Configured, Contents, Logged, Moved, Sampled, Searched, State

Direction = Literal["up", "down"]

_RANGE: Final = re.compile(r"\s*(?:to|and|-|or|until)\s*(?:about |some |roughly |around |at most |nearly )?$")
_BEFORE: Final = re.compile(
    r"(?:\bfrom|\binstead of|\brather than|\bcompared (?:with|to)|\bagainst|\bup from|\bdown from|\bwas|\bwere"
    r"|\bhad been|\bused to be|\bbefore:?)\s+(?:\w+ ){0,1}$"
)
_NOW: Final = re.compile(r"(?:\bto|\bnow|\bis|\bare|\btoday|\binto)\s+(?:\w+ ){0,1}$")
_CLAUSE_BEFORE: Final = re.compile(
    r"\bbefore(?: the| that| this| it|,|$)|\bpreviously\b|\bformerly\b|\buntil then\b|\bused to\b|\bhad been\b"
    r"|\bearlier\b|\bprior\b|\boriginally\b"
)
_CLAUSE_NOW: Final = re.compile(
    r"\bnow\b|\bcurrently\b|\bsince then\b|\bafterwards\b|\btoday\b|\bat present\b|\bafter (?:the|that|it)\b"
)
_SPEND: Final = re.compile(r"\b(?:spen[dt]s?|per second|a second|/s|each second)\b")
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
_COUNTABLE: Final = re.compile(
    r"\b(?:lines?|errors?|warnings?|timeouts?|time-outs?|exits?|refusals?|requests?|events?|messages?|entries"
    r"|failures?|crashes|restarts?|times|calls?|exceptions?|kills?|records?|retries|answers?|responses?"
    r"|checkouts?|occurrences?)\b"
)
_AS_SHOWN: Final = re.compile(
    r"\b(?:shown|among|these|those|here|listed|of the|at least|newest|latest|above|quoted|read)\b"
)
_AS_ALL: Final = re.compile(r"\b(?:exactly|only|altogether|in total|all the|overall|so far|ever|since|in all)\b")
_STEADY: Final = re.compile(
    r"\b(?:stayed|stays|remain\w*|throughout|steady|flat|constant\w*|stable|all the time|always|between|ranges?"
    r"|ranged|unchanged|near|kept)\b"
)


def with_units(parsed: Parsed) -> list[Quantity]:
    """The quantities; of `44 to 70 MB` both have the unit."""
    found = sorted(parsed.quantities, key=lambda q: q.span)
    for place in range(len(found) - 2, -1, -1):
        one, other = found[place], found[place + 1]
        between = parsed.rest[one.span[1] : other.span[0]]
        if one.dimension == "count" and other.dimension not in ("count", "factor") and _RANGE.fullmatch(between):
            scale = _scale_of(other)
            found[place] = replace(
                one,
                value=one.value * scale,
                tolerance=one.tolerance * scale,
                dimension=other.dimension,
                per_s=other.per_s,
            )
        elif one.dimension == other.dimension and other.per_s and not one.per_s and _RANGE.fullmatch(between):
            found[place] = replace(one, per_s=True)
    return found


def _scale_of(quantity: Quantity) -> float:
    number = re.match(r"[\d.,]+", quantity.written)
    try:
        written = float(number[0].replace(",", "")) if number else 0.0
    except ValueError:
        return 1.0
    return quantity.value / written if written else 1.0


def matches(quantity: Quantity, value: float, tolerance: float) -> bool:
    """Whether a computed or stated value is what the quantity says, with its hedge and rounding."""
    want, slack = quantity.value, quantity.tolerance + tolerance + 1e-9 * abs(quantity.value)
    if quantity.hedge == "over":
        return want - 1e-9 <= value <= 2.5 * want + slack and value > want - 1e-12
    if quantity.hedge == "under":
        return 0.3 * want <= value <= want * (1 + 1e-9) + tolerance
    if quantity.hedge == "least":
        return want - tolerance - 1e-9 <= value <= 3 * want
    if quantity.hedge == "most":
        return 0.3 * want <= value <= want + slack
    if quantity.hedge == "almost":
        return 0.85 * want <= value <= want * 1.03 + tolerance
    if quantity.hedge == "about":
        slack = max(slack, 0.1 * abs(want))
    return abs(value - want) <= slack * (1 + 1e-6)


def fits(quantity: Quantity, cell: Cell, parsed: Parsed) -> bool:
    """Same dimension, said per second where it is, and the same value."""
    if quantity.dimension == "count" and cell.printed is not None and cell.keys & _telling(parsed):
        return matches(quantity, cell.printed, 0.0)
    if quantity.dimension != cell.dimension:
        as_ratio = {quantity.dimension, cell.dimension} == {"count", "ratio"}
        if not (as_ratio and quantity.value <= 1 and "." in quantity.written):
            return False
    said_per_s = quantity.per_s or _SPEND.search(parsed.text) is not None
    if cell.per_s and not said_per_s:
        return False
    if quantity.per_s and not cell.per_s and cell.dimension in ("count", "time"):
        return False
    return matches(quantity, cell.value, cell.tolerance)


def is_direct(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """Whether a cited cell states it, of the moment, the role and the thing that the sentence speaks of."""
    wide = _STEADY.search(parsed.text) is not None or bool(parsed.clocks)
    tense = tense_of(quantity, parsed)
    for one in cited:
        for cell in one.cells:
            if cell.series >= 0 and not cell.quoted and not (wide and _is_extreme_or_timed(cell, one, parsed)):
                continue
            if tense and cell.role in ("before", "now") and cell.role != tense:
                continue
            if fits(quantity, cell, parsed) and _is_timed(cell, one, parsed) and _is_bound(quantity, cell, parsed):
                return True
    return _elsewhere(quantity, parsed, cited)


def _elsewhere(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """Other lines of a diff, a file or a state, where the sentence names their key."""
    said = _telling(parsed)
    for one in cited:
        least = 1 if any(isinstance(row, State) for row in one.rows) else 2
        if not any(isinstance(row, Altered | Contents | State) for row in one.rows):
            continue
        for cell in all_cells(one.evidence):
            if fits(quantity, cell, parsed) and len(cell.keys & said) >= least:
                return True
    return False


def _is_extreme_or_timed(cell: Cell, one: Cited, parsed: Parsed) -> bool:
    if cell.at is not None and any(f"{cell.at:%H:%M:%S}".startswith(clock) for clock, _ in parsed.clocks):
        return True
    values = [c.value for c in one.cells if c.series == cell.series]
    return _STEADY.search(parsed.text) is not None and cell.value in (min(values), max(values))


def _is_timed(cell: Cell, one: Cited, parsed: Parsed) -> bool:
    """A sample's moment is one that the sentence names, where it names any of the series'."""
    if cell.at is None or not parsed.clocks or one.evidence.tool in ("latest_metrics", "query"):
        return True
    if len(parsed.clocks) > 1 or _STEADY.search(parsed.text):
        return True
    clocks = [clock for clock, _ in parsed.clocks]
    known = [c.at for c in one.cells if c.series == cell.series and c.at is not None]
    if not any(f"{at:%H:%M:%S}".startswith(clock) for at in known for clock in clocks):
        return True
    return any(f"{cell.at:%H:%M:%S}".startswith(clock) for clock in clocks)


def _is_bound(quantity: Quantity, cell: Cell, parsed: Parsed) -> bool:
    """A bare count belongs to a word that stands beside it in the result."""
    if quantity.dimension != "count" or not cell.keys:
        return True
    return bool(_telling(parsed) & spread(cell.keys))


def _telling(parsed: Parsed) -> frozenset[str]:
    paths = frozenset().union(*(stem_set(path) for path in parsed.paths)) if parsed.paths else frozenset()
    return frozenset(w for w in stems(parsed.rest) if w not in _PLAIN_GRAMMAR) | paths


_PLAIN_GRAMMAR: Final = stem_set(
    "the a an of in on at by for from to with is are was were be been it its that this and or has have had does"
    " do did not no"
)


def tense_of(quantity: Quantity, parsed: Parsed) -> str:
    """`before` or `now` as the words beside a quantity say, or nothing."""
    text = parsed.rest
    ahead = text[: quantity.span[0]]
    for hedge in (
        "about ",
        "some ",
        "roughly ",
        "around ",
        "nearly ",
        "almost ",
        "under ",
        "over ",
        "more than ",
        "less than ",
        "below ",
        "above ",
        "zero ",
    ):
        ahead = ahead.removesuffix(hedge)
    if re.search(r"\b(?:from|instead of|rather than|up from|down from)\s+$", ahead):
        return "before"
    if re.search(r"\bto\s+$", ahead) and re.search(r"\bfrom\b", ahead):
        return "now"
    start = max(text.rfind(c, 0, quantity.span[0]) for c in ",;:") + 1
    ends = [e for e in (text.find(c, quantity.span[1]) for c in (", ", ";", ": ")) if e >= 0]
    clause = text[start : min(ends, default=len(text))]
    if (
        _CLAUSE_BEFORE.search(clause.strip() + " ")
        and not _CLAUSE_NOW.search(clause)
        and quantity.dimension != "factor"
    ):
        return "before"
    if (
        start
        and not _CLAUSE_NOW.search(clause)
        and _CLAUSE_BEFORE.match(text[:start].strip() + " ")
        and not re.search(r"\bnow\b", clause)
    ):
        return "before"
    if _CLAUSE_NOW.search(clause) and not _CLAUSE_BEFORE.search(clause):
        return "now"
    return ""


def misread(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> str | None:
    """A value that stands there as something else: time or counts per second read as of one request."""
    for one in cited:
        for cell in one.cells:
            alike = cell.quoted and cell.per_s and cell.dimension == quantity.dimension and not quantity.per_s
            if alike and matches(quantity, cell.value, cell.tolerance) and not _SPEND.search(parsed.text):
                return f"{quantity.written} is a rate per second there"
    return None


def count_of_rows(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> bool | None:
    """Whether it is a number of lines of a cited result; None where it is none of that kind."""
    if quantity.dimension != "count" or not _COUNTABLE.search(parsed.rest) or quantity.value != int(quantity.value):
        return None
    one = next((one for one in cited if _log_rows(one)), None)
    return None if one is None else _counts(quantity, parsed, one)


def _counts(quantity: Quantity, parsed: Parsed, one: Cited) -> bool:
    rows = _log_rows(one)
    if not _is_whole(one) and _says_all(quantity, parsed):
        return False
    if quantity.hedge == "least":
        return quantity.value <= len(rows)
    behind = parsed.rest[quantity.span[1] : quantity.span[1] + 14]
    narrow = _subset(rows, parsed)
    if re.search(r"\bof (?:the |these |those )?\w+", behind) and narrow is not None:
        return quantity.value == narrow
    return quantity.value in {len(rows), narrow, _same_as_quoted(rows, one)}


def _says_all(quantity: Quantity, parsed: Parsed) -> bool:
    """Whether a number is said of all there were, not of those that were shown."""
    if quantity.hedge == "exact" or re.search(r"\b(?:since|ever|so far|all the)\b", parsed.text):
        return True
    return _AS_ALL.search(parsed.text) is not None and not _AS_SHOWN.search(parsed.text)


def _subset(rows: Sequence[Logged], parsed: Parsed) -> int | None:
    """The number of lines with all words of the sentence that stand in some of them and not in all."""
    said = _telling(parsed)
    each = [stem_set(row.line) | frozenset(re.findall(r"/[\w{}]+", row.line)) for row in rows]
    telling = {w for w in said if 0 < sum(w in words for words in each) < len(each)}
    if not telling:
        return None
    return sum(telling <= words for words in each)


def _same_as_quoted(rows: Sequence[Logged], one: Cited) -> int:
    quoted = {_template(row) for row in one.rows if isinstance(row, Logged)}
    return sum(_template(row) in quoted for row in rows)


def _template(row: Logged) -> str:
    return re.sub(r"\d+(?:\.\d+)?", "#", row.example)


def keeps_range(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """`steady at 53 to 57`: a stretch of the series around what was quoted keeps exactly these bounds."""
    bounds = [q for q in with_units(parsed) if q.dimension in ("time", "count", "bytes", "ratio")]
    if _STEADY.search(parsed.text) is None or len(bounds) < 2:
        return False
    low, high = bounds[0], bounds[1]
    for one in cited:
        for number in {c.series for c in one.cells if c.series >= 0 and c.quoted}:
            cells = [c for c in one.cells if c.series == number]
            places = [n for n, c in enumerate(cells) if c.quoted]
            if cells[0].per_s and not (low.per_s or high.per_s or _SPEND.search(parsed.text)):
                continue
            for start in range(places[0], -1, -1):
                for end in range(max(places[-1], start + 2), len(cells)):
                    values = [c.value for c in cells[start : end + 1]]
                    if _bounds(low, min(values), up=False) and _bounds(high, max(values), up=True):
                        return True
    return False


def _bounds(quantity: Quantity, value: float, *, up: bool) -> bool:
    """Exactly the extreme after rounding, or a close bound of it."""
    slack = quantity.tolerance + 1e-9
    close = 0.08 * abs(value)
    return -slack <= (quantity.value - value if up else value - quantity.value) <= slack + close


def is_derived(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """Whether it follows from the quoted cells and moments."""
    if keeps_range(parsed, cited):
        return True
    slack = 0.03 if quantity.hedge in ("about", "almost") else 0.012
    return any(matches(quantity, value, slack * abs(value)) for value in _computed(quantity, parsed, cited))


_DIFFERS: Final = re.compile(
    r"\b(?:by|lost|loses?|gain\w*|differ\w*|less|more|fewer|extra|add(?:s|ed)|short\w*|long\w*|points|cut|reduced"
    r"|below|above|apart|slower|faster|higher|lower)\b"
)
_LASTS: Final = re.compile(
    r"(?:\bwithin|\bevery|\bfor|\bover|\blasted|\btook|\bup|\bin|\bspan\w*|\bhalf of|\bto|\band|\bthan|\bthe last"
    r"|\bthe first)\s+(?:the |about |some |nearly |almost |roughly |around |only |just |more than |less than "
    r"|over |under |exactly |not quite |a |an )*$"
)
_APART: Final = re.compile(
    r"\s*(?:before|after|later|earlier|ago|apart|older|younger|long|back|ahead|behind|old|between|into|in a row"
    r"|passed|newer|until|from)\b"
)


def _is_duration(quantity: Quantity, parsed: Parsed) -> bool:
    """`six seconds before`, `within 43 seconds`, `up for 23 s`: a time between events, not a setting."""
    ahead = parsed.rest[: quantity.span[0]]
    return _LASTS.search(ahead) is not None or _APART.match(parsed.rest, quantity.span[1]) is not None


def _computed(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> Iterator[float]:
    cells = [cell for one in cited for cell in one.cells if cell.quoted]
    if len(cells) > 60:
        cells = cells[:60]
    for first, second in combinations(cells, 2):
        yield from _of_two(quantity, first, second, differs=_DIFFERS.search(parsed.text) is not None)
    if quantity.dimension == "ratio":
        yield from (abs(1 - c.value) for c in cells if c.role == "ratio")
        if re.search(r"\b(?:succe\w+|good|work|works|pass|ok|still|fine)\b", parsed.text):
            yield from (1 - c.value for c in cells if c.dimension == "ratio" and c.role == "now")
    if quantity.dimension in ("count", "bytes", "time") and len(cells) > 1:
        alike = [c for c in cells if c.dimension == quantity.dimension and not c.role]
        if 1 < len(alike) <= 10 and re.search(
            r"\b(?:sum|total|together|altogether|in all|combined|both)\b", parsed.text
        ):
            yield sum(c.value for c in alike)
    if quantity.dimension == "time" and _is_duration(quantity, parsed):
        yield from _durations(cited, gaps=re.search(r"\bevery\b|\bapart\b|\bintervals?\b", parsed.text) is not None)
    if quantity.dimension in ("time", "count", "bytes"):
        for one in cited:
            yield from _of_series(one, parsed)


def _of_two(quantity: Quantity, one: Cell, other: Cell, *, differs: bool) -> Iterator[float]:
    same = one.dimension == other.dimension and one.per_s == other.per_s
    low, high = sorted((abs(one.value), abs(other.value)))
    if same and differs and quantity.dimension == one.dimension:
        yield high - low
    if same and quantity.dimension == "factor" and low:
        yield high / low
    if same and quantity.dimension == "ratio" and high and one.dimension != "ratio":
        yield low / high
        yield 1 - low / high
        if low:
            yield high / low - 1
    if (
        quantity.dimension == "time"
        and one.per_s
        and other.per_s
        and {one.dimension, other.dimension} == {"time", "count"}
    ):
        spent, count = (one, other) if one.dimension == "time" else (other, one)
        if count.value and (one.at is None or other.at is None or abs((one.at - other.at).total_seconds()) <= 15):
            yield spent.value / count.value
    if quantity.dimension == "ratio" and one.per_s and other.per_s and same and low + high:
        yield low / (low + high)
        yield high / (low + high)


def _durations(cited: Sequence[Cited], *, gaps: bool) -> Iterator[float]:
    moments = [m for one in cited for m in one.moments]
    quoted = [m for m in moments if m.quoted and not m.header] or [m for m in moments if not m.header][:4]
    for one, other in combinations(quoted, 2):
        yield abs((one.at - other.at).total_seconds())
    for one in quoted:
        for other in moments:
            if not other.quoted:
                yield abs((one.at - other.at).total_seconds())
    for proof in cited:
        lines = sorted(r.first for r in proof.evidence.rows if isinstance(r, Logged) and r.first and r.shift == "seen")
        if gaps:
            yield from ((b - a).total_seconds() for a, b in pairwise(lines))
        if len(lines) > 1:
            yield (lines[-1] - lines[0]).total_seconds()


def _of_series(one: Cited, parsed: Parsed) -> Iterator[float]:
    series: dict[int, list[float]] = {}
    for cell in one.cells:
        if cell.series >= 0 and (not cell.per_s or _SPEND.search(parsed.text)):
            series.setdefault(cell.series, []).append(cell.value)
    for values in series.values():
        if re.search(r"\b(?:average|mean|typical\w*|on average)\b", parsed.text):
            yield sum(values) / len(values)


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
            if first and then and min(first) > max(then) and not _STEADY.search(parsed.text):
                return "before and now are swapped"
    return None


def none_else(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """`no other status than 200`: all series of that name, with the same other labels, carry the named value."""
    if (
        not re.search(r"\bno other\b|\bnone but\b|\bnothing but\b|\bno \w+ (?:than|but|except)\b", parsed.text)
        or not parsed.codes
    ):
        return False
    for one in cited:
        for row in one.rows:
            if isinstance(row, Sampled):
                route = row.labels.get("route")
                alike = [
                    r
                    for r in one.evidence.rows
                    if isinstance(r, Sampled) and r.name == row.name and r.labels.get("route") == route
                ]
                if alike and all(set(r.labels.values()) & set(parsed.codes) for r in alike):
                    return True
    return False


def said_none(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """`before that none is counted`: the series begins with the quoted sample, while others reach further back."""
    if not re.search(r"\bbefore(?: that| it)?\b", parsed.text):
        return False
    for one in cited:
        for row in one.rows:
            if isinstance(row, Sampled) and row.points:
                others = [r for r in one.evidence.rows if isinstance(r, Sampled) and r.points and r is not row]
                if any(r.points[0][0] < row.points[0][0] for r in others):
                    return True
    return False


def all_rows(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """Whether the whole that the sentence speaks of was read and is so."""
    return (
        _all_lines_alike(parsed, cited)
        or _only_candidate(parsed, cited)
        or _whole_series(parsed, cited)
        or _each_line(parsed, cited)
        or _same_number_twice(parsed, cited)
        or _within_all_lines(parsed, cited)
    )


def _log_rows(one: Cited) -> list[Logged]:
    return [row for row in one.evidence.rows if isinstance(row, Logged) and row.shift == "seen"]


def _is_whole(one: Cited) -> bool:
    return all(row.whole for row in one.evidence.rows if isinstance(row, Searched))


def _all_lines_alike(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    shown = re.search(r"\bshown\b|\bthese lines\b|\bquoted\b", parsed.text) is not None
    beyond = re.search(r"\bsince\b|\bever\b|\ball the\b", parsed.text) is not None
    for one in cited:
        rows = _log_rows(one)
        alike = len(rows) > 1 and len({_template(row) for row in rows}) == 1
        if alike and (_is_whole(one) or (shown and not beyond)):
            return True
    return False


def _only_candidate(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    if not re.search(r"\bonly\b|\bsole\b", parsed.text) or "candidate" not in parsed.text:
        return False
    for one in cited:
        changes = [row for row in one.evidence.rows if isinstance(row, Changed)]
        quoted = [row.change for row in one.rows if isinstance(row, Changed)]
        candidates = {row.change for row in changes if row.verdict == "cause_candidate"}
        if candidates and candidates == set(quoted):
            return True
    return False


def _whole_series(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """A bound or a level that all samples of the quoted series keep."""
    quantities = [q for q in with_units(parsed) if q.dimension in ("time", "count", "bytes", "ratio")]
    for one in cited:
        numbers = {c.series for c in one.cells if c.series >= 0 and c.quoted}
        for number in numbers:
            values = [c.value for c in one.cells if c.series == number]
            bounds = [q.value for q in quantities]
            slack = max((q.tolerance for q in quantities), default=0.0)
            if len(bounds) >= 2 and min(bounds) - slack <= min(values) and max(values) <= max(bounds) + slack:
                return True
            if len(bounds) == 1 and all(
                abs(v - bounds[0]) <= max(quantities[0].tolerance, 0.15 * bounds[0]) for v in values
            ):
                return True
    return False


def _each_line(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """A bound that every line of the result keeps."""
    for one in cited:
        rows = _log_rows(one)
        if len(rows) < 2 or not (_is_whole(one) or "shown" in parsed.text):
            continue
        for quantity in with_units(parsed):
            quoted = [c for c in one.cells if fits(quantity, c, parsed)]
            for cell in quoted:
                alike = [c for c in all_cells(one.evidence) if c.keys == cell.keys and c.dimension == cell.dimension]
                if len(alike) >= len(rows) and all(fits(quantity, c, parsed) for c in alike):
                    return True
    return False


def _same_number_twice(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """`all 8 workers`: the part in one result is the whole in another."""
    for quantity in parsed.quantities:
        where = {
            one.evidence.id
            for one in cited
            for c in one.cells
            if fits(quantity, c, parsed) and _is_bound(quantity, c, parsed)
        }
        if len(where) > 1:
            return True
    return False


def _within_all_lines(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    for one in cited:
        rows = [row.first for row in _log_rows(one) if row.first]
        if len(rows) > 1 and _is_whole(one):
            span = (max(rows) - min(rows)).total_seconds()
            if any(q.dimension == "time" and span <= q.value * 1.15 + q.tolerance for q in parsed.quantities):
                return True
    return False


def stands_anywhere(quantity: Quantity, parsed: Parsed, evidence: Sequence[Evidence]) -> bool:
    """Whether any cell of the results has this value, or a result has so many lines or lasts so long."""
    for item in evidence:
        if any(fits(quantity, cell, parsed) for cell in all_cells(item)):
            return True
        rows = [row for row in item.rows if isinstance(row, Logged) and row.shift == "seen"]
        if quantity.dimension == "count" and rows and quantity.value == len(rows):
            return True
        times = [row.first for row in rows if row.first]
        if quantity.dimension == "time" and len(times) > 1:
            lasted = (max(times) - min(times)).total_seconds()
            if matches(quantity, lasted, 0.15 * lasted):
                return True
    return False
