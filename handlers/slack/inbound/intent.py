"""What a message asks for, by its words alone: help, the status, to stop, to end the incident, nothing at all, or an
investigation.

Only a whole message is a command: "please stop" is, "stop the deploys" is not. Thanks and emoji are no question.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from agents.language.service_names import plain

Intent = Literal["help", "status", "stop", "resolve", "false_alarm", "nothing", "ask"]

_WORDS: Final[dict[str, Intent]] = {
    "": "help",
    "help": "help",
    "help me": "help",
    "hi": "help",
    "hello": "help",
    "hey": "help",
    "status": "status",
    "summary": "status",
    "catch up": "status",
    "catch me up": "status",
}
_STOP: Final = frozenset(
    (
        "stop",
        "cancel",
        "halt",
        "abort",
        "quit",
        "stop investigating",
        "stop looking",
        "nevermind",
        "never mind",
        "forget it",
    )
)
_OVER: Final[dict[str, Intent]] = {
    **dict.fromkeys(
        (
            "resolve",
            "resolved",
            "resolve incident",
            "resolve the incident",
            "mark as resolved",
            "mark resolved",
            "close incident",
            "close the incident",
            "is resolved",
            "incident is resolved",
            "the incident is resolved",
        ),
        "resolve",
    ),
    **dict.fromkeys(
        ("false alarm", "a false alarm", "was a false alarm", "is a false alarm", "mark as false alarm"), "false_alarm"
    ),
}
_POLITE: Final = frozenset(
    word
    for line in ("please pls plz now it this that here can could you would just ok okay hey thanks thank immediately",)
    for word in line.split()
)
_NO_QUESTION: Final = frozenset(
    word
    for line in (
        "thanks thank you u thx thnx ty tysm cheers merci danke gracias great good nice job work well done",
        "awesome perfect cool super excellent brilliant kudos bravo love lol haha wow ok okay got understood",
        "sounds noted will do roger ack cc fyi bump np no problem worries welcome amazing much very so a lot",
        "many all team everyone everybody guys folks bot autoheal yay yes yep yeah sure right that this the",
        "it for your help again fantastic wonderful neat sweet appreciated appreciate beautiful legend hero",
    )
    for word in line.split()
)
_EMOJI: Final = re.compile(r":[a-z0-9_+'-]+:(?::skin-tone-\d:)?|[\u2190-\u2bff\U0001f000-\U0001faff\u200d\ufe0f]|\+1")
_MENTION: Final = re.compile(r"<[@#!][^>]*>|(?<!\w)@[\w-]+")
_EDGES: Final = " \t\n.,:;!?*_~`'\"()-\u2026"
_WORD: Final = re.compile(r"[^\s.,:;!?*_~`()]+")


def read_intent(words: str) -> Intent:
    """What a message without its mention of this app asks for."""
    said = plain(words).lower()
    bare = " ".join(_MENTION.sub(" ", _EMOJI.sub(" ", said)).split()).strip(_EDGES)
    if not bare:
        return "nothing" if said.strip(_EDGES) else "help"
    if bare in _WORDS:
        return _WORDS[bare]
    tokens = _WORD.findall(bare)
    told = " ".join(token for token in tokens if token not in _POLITE)
    if bare in _STOP or told in _STOP:
        return "stop"
    if over := _OVER.get(bare) or _OVER.get(told):
        return over
    return "nothing" if "?" not in said and all(token.strip("'\"") in _NO_QUESTION for token in tokens) else "ask"
