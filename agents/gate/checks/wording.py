"""Checks of words: what is added or denied, said of all or of a cause, and that every telling word is borne out."""

from __future__ import annotations

import re
from typing import Final

from agents.gate import counting, directions
from agents.gate.claim import Contradicted, ExaminedClaim, own_lines
from agents.gate.reported import attributes, quoted
from agents.gate.vocabulary import DOWN, FASTER, LACKING, LIGHT, NEGATIONS, SLOWER, UP, spread
from agents.gate.words import plain, stem_set, stems, words_in
from agents.rows import Altered, Changed, Searched, Spent, State, Suspect, Unread


def diffs(claim: ExaminedClaim) -> None:
    """What a diff adds is said to be added, what it removes to be removed."""
    every = {line[:1] for one in claim.cited for line in one.lines if line[:1] in ("+", "-")}
    if any(one.of(Altered) for one in claim.cited):
        claim.borne |= stem_set("lose lost remove drop delete gone lack") if "-" in every else set()
        claim.borne |= stem_set("add introduce bring insert") if "+" in every else set()
    for one in claim.cited:
        if not one.of(Altered) or len(every) > 1:
            continue
        signs = {line[:1] for line in one.lines if line[:1] in ("+", "-") and not line.startswith(("+++", "---"))}
        text = claim.parsed.text
        adds = re.search(r"\b(?:adds?|added|introduces?|introduced|new|brings|inserts?|now)\b", text) is not None
        removes = (
            re.search(
                r"\b(?:removes?|removed|drops?|dropped|deletes?|deleted|lost|loses|lacks|no longer|without|gone)\b",
                text,
            )
            is not None
        )
        limits = re.search(r"\b(?:limits?|bounds?|caps?|restricts?)\b", text) is not None
        if signs == {"-"} and (adds or limits) and not removes:
            raise Contradicted("the diff removes that line")
        if signs == {"+"} and removes and not adds:
            raise Contradicted("the diff adds that line")


def verdicts(claim: ExaminedClaim) -> None:
    """What the ranking says of a change or a suspect is said as it says it."""
    text = claim.parsed.text
    for one in claim.cited:
        for row in one.of(Changed):
            calls_cause = re.search(r"\bcause\b|\bculprit\b|\bcandidate\b|\bat fault\b", text) is not None
            denied = re.search(r"\b(?:not|no|never|n't|only|merely)\b|n't", text) is not None
            if calls_cause and row.verdict and row.verdict != "cause_candidate" and not denied:
                raise Contradicted(f"the result says of {row.change}: {row.verdict}")
            if row.verdict == "cause_candidate" and re.search(r"\bcoincid|\bunrelated\b|\binnocent\b", text):
                raise Contradicted(f"the result says of {row.change}: {row.verdict}")
            if (
                re.search(
                    r"\b(?:took|takes|caused|causes|broke|breaks|made|makes|brought|exhausts?|eats?|slows?)\b", text
                )
                and row.verdict != "cause_candidate"
                and row.verdict
            ):
                claim.unproven.append(f"the result says of {row.change}: {row.verdict}")
        for suspect in one.of(Suspect):
            told = [
                level
                for level in ("high", "medium", "low")
                if re.search(rf"\b{level}(?:est)?\b(?: \w+)? confidence", text)
            ]
            if told and suspect.confidence not in told:
                raise Contradicted(f"the ranking's confidence is {suspect.confidence}")
            places = {"first": 1, "top": 1, "second": 2, "third": 3, "last": 0}
            for word, place in places.items():
                if re.search(rf"\b{word}\b", text) and place and suspect.place != place:
                    raise Contradicted(f"the ranking puts it in place {suspect.place}")


def levels(claim: ExaminedClaim) -> None:
    """A line's level, a state, a yes or no is said as it stands."""
    for one in claim.cited:
        for row in one.of(State):
            pairs = (
                ("running", r"\b(?:down|stopped|dead|crashed|not running)\b"),
                ("stopped", r"\b(?:running|up|healthy)\b"),
            )
            for value, opposite in pairs:
                if row.value == value and re.search(opposite, claim.parsed.text):
                    raise Contradicted(f"its {row.name} is {row.value}")


def negations(claim: ExaminedClaim) -> None:
    """What a line denies is not affirmed; what the claim denies is denied by a line, a zero or an absence."""
    text = claim.parsed.text
    tokens = words_in(text)
    denies = any(t in NEGATIONS for t in tokens) or "n't" in text
    lacks = denies or bool(claim.stems & LACKING)
    for one in claim.cited:
        for line in own_lines(one):
            for scope in _denied(line):
                shared = [w for w in scope if w in spread(claim.stems)]
                if scope and not lacks and len(shared) >= max(1, (len(scope) + 1) // 2):
                    raise Contradicted("the quoted line says the opposite")
    if denies and not _is_denied(claim):
        claim.unproven.append("that there is none does not stand in what is cited")


def _is_denied(claim: ExaminedClaim) -> bool:
    """Whether what the claim denies is denied by a line, a zero, an absence, a verdict or a whole diff."""
    rows = [row for one in claim.cited for row in one.rows]
    lines = [line for one in claim.cited for line in own_lines(one)]
    return (
        any(isinstance(row, Searched | Unread) for row in rows)
        or any(scope for line in lines for scope in _denied(line))
        or (_is_zero(claim) and not _denies_verdict(claim))
        or _denies_verdict(claim)
        or _absent_from_diff(claim)
        or counting.none_else(claim.parsed, claim.cited)
        or counting.said_none(claim.parsed, claim.cited)
    )


def _is_zero(claim: ExaminedClaim) -> bool:
    """Whether a cited number is zero, now, or before where the sentence speaks of before."""
    earlier = (
        re.search(r"\bbefore\b|\bpreviously\b|\bearlier\b|\buntil\b|\bhad\b|\bzero\b", claim.parsed.text) is not None
    )
    return any(cell.value == 0 and (cell.role != "before" or earlier) for cell in claim.cells())


def _denied(line: str) -> list[list[str]]:
    """For each negation of a line, the telling words that it denies."""
    words = words_in(plain(line))
    found = []
    for place, word in enumerate(words):
        if word.lower() in NEGATIONS:
            scope = [s for s in stems(" ".join(words[place + 1 : place + 6])) if s not in _GRAMMAR]
            found.append(scope[:3])
    return found


_GRAMMAR: Final = stem_set("the a an its in this that of is are was were be been it to for at on any by")


def _denies_verdict(claim: ExaminedClaim) -> bool:
    rows = [row for one in claim.cited for row in one.rows if isinstance(row, Changed)]
    return (
        bool(rows)
        and all(row.verdict != "cause_candidate" for row in rows)
        and re.search(r"\bcause\b|\bcandidate\b", claim.parsed.text) is not None
    )


def _absent_from_diff(claim: ExaminedClaim) -> bool:
    """`the diff touches no timeout`: the denied words stand in no altered line of a whole diff."""
    for one in claim.cited:
        for row in one.of(Altered):
            altered = stem_set(
                " ".join(line for line in row.diff.split("\n") if line[:1] in "+-" and line[:3] not in ("+++", "---"))
            )
            clause = re.split(r"[,;:]", claim.parsed.text)[0]
            denied = [w for scope in _denied(clause) for w in scope if w not in _TOUCHES]
            if row.whole and denied and not set(denied) & altered:
                claim.borne.update(denied)
                return True
            if row.whole and denied and set(denied) <= altered and len(denied) > 1:
                return True  # `no query of the order list`: each word may stand there, the whole does not
    return False


_TOUCHES: Final = stem_set("touch touches change changes alter alters contain affect affects modify do does")


def universals(claim: ExaminedClaim) -> None:
    """All, never, only and the like need a whole that was read."""
    text = claim.parsed.text
    if _MOST.search(text) and not any(isinstance(row, Spent) and row.most for one in claim.cited for row in one.rows):
        shares = [c.value for c in claim.cells() if c.dimension == "ratio" and c.role != "before"]
        if shares and max(shares) < 0.5:
            raise Contradicted("it is less than half")
        if not shares:
            claim.unproven.append("that it is most of them does not stand in what is cited")
    if not _UNIVERSAL.search(text):
        return
    if all(isinstance(row, Altered) for one in claim.cited for row in one.rows) and not _FALLS.search(text):
        return  # what code does with each of something is read in the code
    cells = claim.cells()
    whole_ratio = any(c.dimension == "ratio" and abs(c.value - 1) < 1e-9 and c.role == "now" for c in cells)
    part_ratio = [c for c in cells if c.dimension == "ratio" and c.role == "now" and c.value < 0.995]
    fails = re.search(r"\b(?:fail|error|down|refus|reject|broken|affected|lost)", text) is not None
    if whole_ratio and fails:
        return
    if part_ratio and fails and _ALL.search(text):
        raise Contradicted("only a part of them does")
    if counting.all_rows(claim.parsed, claim.cited):
        return
    claim.unproven.append("that it holds for all of them does not stand in what is cited")


_FALLS: Final = re.compile(r"\b(?:fail|error|down|refus|reject|broken|affected|lost|crash|outage)\w*")


_MOST: Final = re.compile(r"(?<!at )\bmost(?:ly)?\b|\bmajority\b")


_ALL: Final = re.compile(r"\b(?:all|every|everything|whole|entire|each|any|completely|totally|entirely)\b")


_UNIVERSAL: Final = re.compile(
    r"\b(?:all|every|everything|everywhere|whole|entire|entirely|completely|totally|always|never|nobody|nothing"
    r" else|the only|only (?:the|one|an?|\d+)|sole|solely|throughout|constantly|permanently|forever|each)\b"
)


def causes(claim: ExaminedClaim) -> None:
    """Why something happened is the model's reading, unless the line itself says so."""
    if _GUESS.search(claim.parsed.text):
        claim.unproven.append("it is an assumption")
    if match := _CAUSAL.search(claim.parsed.text):
        lines = " ".join(line for one in claim.cited for line in own_lines(one))
        after = [w for w in stems(claim.parsed.text[match.end() :]) if w not in LIGHT]
        if after and set(after) <= stem_set(lines):
            return
        claim.unproven.append("why it happened is an inference")


_GUESS: Final = re.compile(
    r"\b(?:will|going to|likely|probabl[ey]|perhaps|maybe|might|presumably|seems?|apparently|suggests?|expected|soon)\b"
)


_CAUSAL: Final = re.compile(
    r"\b(?:because|caus(?:ed|es|ing)|due to|owing to|thanks to|leads? to|led to|results? in|resulted in|explains?"
    r"|explained|therefore|thus|hence|so that"
    r"|triggers?|triggered|as a result|that is why|responsible|at fault|to blame|came from|comes from|stems? from"
    r"|brought|(?:is|was|are) the (?:root )?cause|mak(?:es?|ing) (?!in\b|what\b)\w+ \w+|made \w+ \w+)\b|, so\b"
)


def coverage(claim: ExaminedClaim) -> None:
    """Every telling word of an observed claim belongs to what is cited."""
    known = frozenset().union(*(one.words | one.context for one in claim.cited))
    known |= stem_set("route path endpoint request") if claim.parsed.paths else frozenset()
    cited = frozenset().union(*(one.words for one in claim.cited))
    alike = known | spread(cited | (stem_set("route path endpoint request") if claim.parsed.paths else frozenset()))
    services = stem_set(" ".join(claim.run.services))
    went = directions.said_direction(claim.parsed) is not None
    directed = UP | DOWN | SLOWER | FASTER if went else _COMPARING
    left = [
        w
        for w in claim.words
        if len(w) > 1 and w not in LIGHT and w not in directed and w not in alike and w not in services
    ]
    left = [w for w in left if w not in _SAID_OF_NUMBERS and w not in claim.borne]
    if left:
        claim.unproven.append(f"the cited results do not speak of: {', '.join(dict.fromkeys(left))}")


def hearsay(claim: ExaminedClaim) -> None:
    """What only a subject or a comment says is no observation, whatever else is cited beside it."""
    if attributes(claim.text):
        return
    for one in claim.cited:
        idle = [prose.text for prose in quoted(one.quote, one.lines, one.evidence) if prose.idle]
        rest = " ".join(line for other in claim.cited for line in own_lines(other))
        for text in idle:
            rest = rest.replace(text.strip(), " ")
        own = stem_set(rest) | stem_set(" ".join(claim.run.services))
        only = {w for w in claim.words if w not in LIGHT and w not in own and any(w in stem_set(t) for t in idle)}
        if len(only) >= _TELLING:
            claim.unproven.append(f"only what somebody wrote speaks of: {', '.join(sorted(only))}")


_TELLING: Final = 2


_COMPARING: Final = stem_set("more less fewer longer shorter higher lower larger smaller greater cut up")


_SAID_OF_NUMBERS: Final = stem_set(
    "steady flat stable constant throughout well quarter half third twice hundred thousand million dozen fold single"
    " two three four five six seven eight nine ten eleven twelve"
)
