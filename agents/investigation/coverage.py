"""What an investigation could look at, and the words of one that names no cause.

"Could not look", "looked and found nothing" and "found" are three different answers. Which of them holds is read off
the stored results, never taken from a model, and said here once for the thread, the phone, the report and the mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.connecting.toolbox import Toolbox
from agents.verdict import Looked
from store.incidents.artifacts import Artifact

_ENGINE: Final = "evidence"
_UNDECIDED: Final = "was not read"
_LATE: Final = "did not answer"
_VERBS: Final = (_LATE, "was ", "has ", "failed ", "could ")
_MOST_REASONS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Look:
    """One attempt to read a source, by its title. `why` it told nothing is "" where it was read."""

    source: str
    why: str = ""

    @property
    def gap(self) -> str:
        """As the report names it."""
        return f"{self.source}{' ' if self.why.startswith(_VERBS) else ': '}{self.why}"

    def as_fact(self) -> dict[str, str]:
        return {"source": self.source, "why": self.why}


def look_back(artifacts: Sequence[Artifact], toolbox: Toolbox, *, nothing_wrong: bool) -> Looked:
    """The sources that were read at least once, and those that never were. `nothing_wrong` is the draft's word, which
    counts only where the newest ranking says so too.
    """
    looks = [look for artifact in artifacts for look in _looks(artifact, toolbox)]
    read = dict.fromkeys(look.source for look in looks if not look.why)
    silent = {look.source: look.why for look in looks if look.source not in read}
    for title in toolbox.evidence_sources():
        if title not in read:
            silent.setdefault(title, _UNDECIDED)
    return Looked(
        read=tuple(read),
        silent=tuple(silent.items()),
        nothing_wrong=bool(read) and nothing_wrong and _is_quiet(artifacts),
    )


def abstention(looked: Looked, symptom: str = "") -> str:
    """One sentence without a full stop. `symptom` is a clause such as " since 02:41: errors 0.3% -> 9%", or ""."""
    missed = [Look(source=source, why=why) for source, why in looked.silent]
    if not looked.read:
        more = [f"and {len(missed) - _MOST_REASONS} more"] if len(missed) > _MOST_REASONS else []
        reasons = [*(look.gap for look in missed[:_MOST_REASONS]), *more] or ["no source is connected"]
        return f"I could not look: {'; '.join(reasons)}"
    seen = f"I looked at {_listed(looked.read)}"
    if not looked.nothing_wrong or symptom:
        first = f"No confident cause{symptom}{'; ' if symptom else ': '}{seen}"
    elif missed:
        first = f"{seen} and found nothing"
    else:
        first = f"No fault found: {seen} and found nothing"
    return "; ".join([first, *_missed(missed)])


def _looks(artifact: Artifact, toolbox: Toolbox) -> Iterator[Look]:
    """What one result says of the sources: the engine's tools name all that they asked, others are one source."""
    if artifact.source == _ENGINE:
        for row in artifact.facts.get("looked", ()):
            yield Look(source=str(row["source"]), why=str(row["why"]))
        return
    title = next((c.title for c in toolbox.connectors if c.key == artifact.source), None)
    if title is None:
        return
    gap = str(artifact.facts.get("gap") or "")
    if not artifact.is_error:
        yield Look(source=title)
    elif gap:  # else the call was not possible as asked, which says nothing of the source
        yield Look(source=title, why=gap.removeprefix(f"{artifact.source}: ").removeprefix(f"{artifact.source} "))


def _is_quiet(artifacts: Sequence[Artifact]) -> bool:
    """False where a ranking saw a symptom, or none could be made of what was read."""
    ranked = [a for a in artifacts if a.tool == "rank_causes"]
    made: list[Mapping[str, Any]] = [a.facts for a in ranked if not a.is_error and "quiet" in a.facts]
    return not ranked or (bool(made) and all(facts["quiet"] for facts in made))


def _missed(missed: Sequence[Look]) -> Iterable[str]:
    late = [look.source for look in missed if look.why.startswith(_LATE)]
    unread = [look.source for look in missed if look.source not in late]
    if late:
        yield f"{_listed(late)} {_LATE}"
    if unread:
        yield f"{_listed(unread)} could not be read"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
