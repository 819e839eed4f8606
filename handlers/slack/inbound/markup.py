"""Slack's wire format as a person reads it on the screen: one level of escapes, a link as its label, a channel by its
name.

People stay as `<@U123>`, because a mention is addressed by id. What somebody typed to look like such a token does not
become one. https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"<([@#!][^<>\n]{1,300}|[a-zA-Z][a-zA-Z0-9+.-]{1,20}:[^<>\n]{1,3000})>")
_TYPED_TOKEN: Final = re.compile(r"&lt;(?=[@#!])")
_ENTITY: Final = re.compile(r"&(lt|gt|amp);")
_CHARACTERS: Final = {"lt": "<", "gt": ">", "amp": "&"}


def readable(text: str) -> str:
    """Text of a message, command, block or attachment as Slack sent it."""
    if "<" not in text and "&" not in text:
        return text
    pieces: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        pieces += [_unescape(text[end : token.start()]), _shown(token[1])]
        end = token.end()
    return "".join([*pieces, _unescape(text[end:])])


def _unescape(text: str) -> str:
    """One level only: `&amp;gt;` is what somebody typed as `&gt;`."""
    return _ENTITY.sub(lambda entity: _CHARACTERS[entity[1]], _TYPED_TOKEN.sub("&lt; ", text))


def _shown(token: str) -> str:
    target, _, label = token.partition("|")
    words = _unescape(label)
    match target[:1]:
        case "@":
            return f"<{token}>"
        case "#":
            return f"#{words or target[1:]}"
        case "!":
            return _broadcast(target[1:], words)
    return words or _unescape(target.removeprefix("mailto:").removeprefix("tel:"))


def _broadcast(target: str, words: str) -> str:
    """`@here`, a group by its handle, a date by what stands for it where dates are not shown."""
    name = target.partition("^")[0]
    if name == "date":
        return words
    return words or f"@{'group' if name == 'subteam' else name}"
