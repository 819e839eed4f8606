"""What people forbid in plain words: `do not roll back catalog`, `no restarts please`; and the words that lift it.

Understood by code alone, so that no model can talk itself out of it. What is quoted or pasted is not the writer's own
word; a sentence that names no service is about all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from agents.language.service_names import names_in, plain

_BACK: Final = r"(?:roll(?:s|ed|ing)?[ -]?back\w*|rollbacks?|revert\w*|undo(?:ing)?)"
_START: Final = r"(?:re-?start\w*|re-?boot\w*|bounc\w+|kill(?:ing)?)"
_HUSH: Final = r"(?:(?:un)?silenc\w+|(?:un)?mut(?:e[sd]?|ing)\b|snooz\w+)"
_ANY: Final = r"(?:touch\w*|chang(?:e|ing)s?|(?:re)?deploy\w*|do anything|act|appl(?:y|ying))"
_SIZE: Final = r"(?:\b(?:re)?scal(?:e[sd]?|ing)\b)"
_ACTIONS: Final = (
    (re.compile(_BACK, re.IGNORECASE), "rollback_deployment"),
    (re.compile(_START, re.IGNORECASE), "restart_service"),
    (re.compile(_HUSH, re.IGNORECASE), "silence_alert"),
    (re.compile(_SIZE, re.IGNORECASE), "scale_service"),
)
OTHER: Final = "other"
"""Stands for every remedy that has no word of its own here: who says "hands off" means all."""
_VERBS: Final = {
    "rollback_deployment": ("rollback", "undo", "revert", "ecs"),
    "restart_service": ("restart",),
    "silence_alert": ("silence", "mute"),
    "scale_service": ("scale",),
}
_SAID: Final = {
    "rollback_deployment": "roll back",
    "silence_alert": "silence",
    "scale_service": "scale",
    OTHER: "touch",
}
_EVERY: Final = (*(name for _, name in _ACTIONS), OTHER)
_DOING: Final = rf"(?:{_BACK}|{_START}|{_HUSH}|{_SIZE}|{_ANY})"
_BETWEEN: Final = r"[\w\s,'/-]{0,40}?"
_FORBIDS: Final = re.compile(
    r"\b(?:do not|don'?t|never|must ?n[o']t|should ?n[o']t|may not|cannot|can'?t|not going to|please no|avoid|without)"
    rf"\b{_BETWEEN}\b{_DOING}|\bno\s+(?:\w+\s+){{0,2}}(?:{_BACK}|{_START}|{_HUSH}|{_SIZE})|\b{_DOING}\b{_BETWEEN}\b(?:is|are)\s+"
    r"(?:forbidden|off the table|not allowed|not an option|out of the question)"
    rf"|\bhands off\b|\bhold off\b{_BETWEEN}\b{_DOING}",
    re.IGNORECASE,
)
_LIFTS: Final = re.compile(
    rf"\b(?:you|we)\s+(?:may|can|could|should)\s+(?:now\s+|go ahead and\s+)?{_DOING}"
    rf"|\b(?:go ahead|ok(?:ay)?|fine|free|allowed|safe|happy)\s+(?:and\s+|to\s+|with\s+(?:a\s+|the\s+)?){_DOING}"
    rf"|\b{_DOING}\b{_BETWEEN}\b(?:is|are)\s+(?:now\s+)?(?:ok(?:ay)?|fine|allowed|good|possible)\b"
    rf"|\b(?:please|do|now)\s+{_DOING}",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(r"\bwhy\b|\bdid(?:n't| not)\b|\?\s*$", re.IGNORECASE)
_QUOTED: Final = re.compile(r"```.*?```|`[^`]*`|“[^”]*”|\"[^\"]*\"|^\s*(?:>|&gt;).*$", re.DOTALL | re.MULTILINE)
_SENTENCE: Final = re.compile(r"(?<=[.;!?])\s+|\n+|,\s*(?=but\b|and (?:you|we)\b|no\b|don'?t\b|do not\b|not\b)")
_PASTED: Final = re.compile(r"\n\n(?:The thread begins with|Then it was said there): ")


@dataclass(frozen=True, kw_only=True)
class Said:
    """Somebody's own words, when, and whose; "" where that is not asked."""

    text: str
    at: datetime
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class Prohibition:
    """A kind of remedy that somebody ruled out; `service` is None where it holds for all. `lifted_at` is None while it
    stands.
    """

    remediation: str
    service: str | None
    words: str
    at: datetime
    by: str = ""
    lifted_at: datetime | None = None
    lifted_by: str = ""

    def covers(self, remediation: str, service: str | None) -> bool:
        """Whether it is about this remedy, of all that are called alike: who forbids a restart means every restart."""
        return self.remediation == kind_of(remediation) and self.service in (None, service)

    def told(self) -> str:
        """Who reads it learns how it is lifted."""
        what = _SAID.get(self.remediation, "restart")
        whom = self.service or "it"
        return (
            f"ruled out in this thread at {self.at:%H:%M} UTC: “{self.words}”. "
            f"Say “you may {what} {whom}” here to lift that."
        )


def own_words(text: str) -> str:
    """A message without what it quotes or pastes."""
    return _QUOTED.sub(" ", _PASTED.split(text, maxsplit=1)[0])


def standing(said: Iterable[Said], services: Sequence[str]) -> list[Prohibition]:
    """What is forbidden after all that was said."""
    return [one for one in stated(said, services) if one.lifted_at is None]


def stated(said: Iterable[Said], services: Sequence[str]) -> list[Prohibition]:
    """All that was ever forbidden, in the order of time, with who lifted it when: later words count more."""
    lifted: list[Prohibition] = []
    found: dict[tuple[str, str | None], Prohibition] = {}
    for one in sorted(said, key=lambda s: s.at):
        for sentence in _SENTENCE.split(own_words(one.text)):
            forbids = _FORBIDS.search(plain(sentence)) is not None
            if not forbids and (_LIFTS.search(plain(sentence)) is None or _ASKS.search(sentence.strip())):
                continue
            if forbids and _ASKS.search(sentence.strip()):
                continue
            for remediation, service in _targets(sentence, services):
                if forbids:
                    words = " ".join(sentence.split())[:120]
                    new = Prohibition(remediation=remediation, service=service, words=words, at=one.at, by=one.by)
                    found.setdefault((remediation, service), new)
                    continue
                over = [k for k in found if k[0] == remediation and (service in (None, k[1]) or k[1] is None)]
                lifted += [replace(found.pop(key), lifted_at=one.at, lifted_by=one.by) for key in over]
    return [*lifted, *found.values()]


def forbidding(prohibitions: Iterable[Prohibition], remediation: str, service: str | None) -> Prohibition | None:
    """The one that stands against this remedy for this service."""
    return next((one for one in prohibitions if one.covers(remediation, service)), None)


def kind_of(remediation: str) -> str:
    """What people call it: undoing a rollout is a rollback to them. `OTHER` where they have no word for it."""
    verb = remediation.partition("_")[0]
    return next((kind for kind, verbs in _VERBS.items() if verb in verbs), OTHER)


def _targets(sentence: str, services: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    actions = [name for pattern, name in _ACTIONS if pattern.search(sentence)] or list(_EVERY)
    named: list[str | None] = [*names_in(sentence, services)] or [None]
    yield from ((action, service) for action in actions for service in named)
