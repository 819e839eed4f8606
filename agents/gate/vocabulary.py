"""The words of the trade: which mean the same, which carry no claim, which are directions, levels, negations.

Groups are of one concept each, as responders use them; a word may stand in several.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agents.gate.words import stem


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


# Words that make a sentence and state nothing that could be wrong of a system.
LIGHT: Final = _stems(
    """a an the this that these those it its they their them there here and or but so also too both each one ones other
    others another of in on at by for from to with into onto between among during within over under about around
    against towards toward per as than then when where which who whom whose what while until till upon via out up
    down off only just still now again yet already even ever more most much many some several few lot bit less
    rather quite very same such own part parts kind sort way be is are was were been being am do does did done doing
    have has had having can could may might will would shall should must let get gets got getting go goes going come
    comes coming give gives make makes making made take takes taking put puts use uses used using say says said tell
    tells told show shows showed shown see sees saw seen find finds found look looks looked lie lies stand stands
    stood hold holds held keep keeps kept stay stays stayed remain remains remained become becomes became seem
    appear appears begin begins began begun start starts started end ends ended happen happens happened occur occurs
    occurred follow need needs needed want read reads reading measure measured measures report reports reported
    record recorded list lists listed name names named call calls called count counts counted reach reaches reached
    run runs ran lead leads contain contains concern concerns namely alone together altogether total since before
    after ago later earlier early late first second last next previous previously once meanwhile moment present
    currently current today time times minute minutes hour hours second seconds day days utc clock point points
    place level value values number numbers amount figure figures size range ranges series sample samples result
    results reading window windows average mean median rate rates ratio share percent per cent percentage percentile
    factor fold roughly approximately exactly precisely nearly almost least above below near close i we you he she
    his her our your us not no none nor neither never nothing without any all every whole entire always whether if
    because due thus hence therefore instead already like else per like rather mere merely sole solely mostly mainly
    chiefly briefly shortly soon long short high low big small large little great new old good further line lines
    row rows column columns field fields entry entries old older age back ago apart quarter percent"""
)
# These decide what a sentence says and are judged by rules of their own before they may be light.
UP: Final = _stems(
    "rise rises rose risen rising grow grows grew grown growing growth climb climbs climbed increase increased"
    " increases jump jumped jumps surge surged soar soared spike spiked spikes higher more worse raise raised"
    " raises gain gained"
    " double doubled triple tripled quadrupled longer larger bigger greater worsen worsened slower upward swell"
    " swelled shoot shot"
    " expand expanded multiply multiplied"
)
DOWN: Final = _stems(
    "fall falls fell fallen falling drop drops dropped dropping sink sinks sank sunk shrink shrinks shrank shrunk"
    " decrease decreased decreases decline declined reduce reduced reduces lower lowered fewer shorter cut"
    " cuts smaller halve halved shorten shortened diminish diminished downward plunge plunged collapse collapsed"
    " recover recovered improve improved dwindle dwindled subside subsided tighten tightened"
)
SLOWER: Final = _stems("slower slow slowed")
FASTER: Final = _stems("faster quicker fast quick")
NEGATIONS: Final = frozenset(
    ("no", "not", "none", "never", "nothing", "without", "neither", "nor", "cannot", "nobody", "nowhere", "zero")
)
LACKING: Final = _stems(
    "lack want refuse reject deny fail unable short run exhaust miss absent lacking out empty give unavailable lost"
)
GROUPS: Final[tuple[frozenset[str], ...]] = tuple(
    _stems(group)
    for group in (
        "request call query answer http hit lookup post get serve",
        "error fail failure failing refuse refusal reject unsuccessful 5xx break exception",
        "latency slow duration respond response long delay wait time fast quick answer",
        "timeout timed",
        "timeout wait give limit cut deadline",
        "memory virtual resident bytes ram heap",
        "out lack want short shortage exhaust scarce",
        "peak highest maximum max top climax",
        "lowest minimum min trough bottom",
        "deploy deployment release rollout change ship version live update deployed launch push",
        "change diff commit patch alter touch modify edit",
        "exit crash kill die stop terminate abort shutdown",
        "restart start boot up uptime",
        "warn warning",
        "log logged line message logs entry write",
        "critical fatal",
        "rank engine suspect candidate hypothesis evidence list put call",
        "cause reason culprit blame origin fault root",
        "coincide coincidence",
        "traffic throughput load request rate demand volume",
        "p95 percentile",
        "mean average",
        "quiet normal abnormal unusual calm",
        "onset begin began start incident symptom",
        "add insert new introduce bring gain plus",
        "remove delete drop lose lost gone",
        "title call summary headline subject message",
        "config setting set configure parameter value file option",
        "worker thread",
        "database sql query db table store",
        "connection connect pool client socket",
        "provider peer payment upstream partner vendor external outside",
        "route path endpoint url",
        "product listing list page catalog",
        "order checkout purchase",
        "charge payment pay",
        "refuse turn away reject no",
        "status code state",
        "instance replica process pod copy",
        "run version current",
        "column field select",
        "dictionary dict cache store keep map",
        "language locale translation",
        "counter count total counts",
        "busy use occupied",
        "free available idle",
        "allocate memory",
        "read answer reach available respond",
        "unread gap miss fail",
        "increase rise grow up",
        "decrease fall drop down",
        "half ratio",
        "search find",
        "receipt invoice",
        "shop store site",
        "stock inventory item",
        "spend time take duration sum",
        "finish deploy end complete",
        "indicator metric series signal measure",
        "replica lag",
        "disk storage space",
        "rate often frequent",
        "cpu processor core",
        "host node machine server",
        "retry attempt",
        "queue backlog pending flight",
        "certificate tls ssl",
        "lock deadlock block",
        "migration schema",
        "flat steady constant stable unchanged same",
        "trace span request",
        "alert alarm fire firing",
    )
)
_ALIKE: Final[dict[str, frozenset[str]]] = {
    word: frozenset().union(*(group for group in GROUPS if word in group)) for group in GROUPS for word in group
}


def spread(words: Iterable[str]) -> frozenset[str]:
    """The words and all that mean the same."""
    found = set(words)
    for word in tuple(found):
        found |= _ALIKE.get(word, frozenset())
    return frozenset(found)
