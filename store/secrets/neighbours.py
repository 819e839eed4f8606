"""A name and its value that stand beside or below each other: the environment of a container, a template's parameters,
a YAML block. The name says that the value is a secret; no `=` or `:` joins the two.
"""

import re
from collections.abc import Iterator
from typing import Final

from store.secrets.pairs import SecretRule, TextSpan, is_secret_under, names_secret

_QUOTE: Final = r"\\{0,4}[\"']?"
_JOIN: Final = rf"{_QUOTE}[ \t]*(?:=>|:=|[:=>])[ \t]*"
_PREFIX: Final = r"(?<![A-Za-z0-9])[A-Za-z._-]{0,24}"
_NAMED: Final = rf"(?:[Nn]ame|[Kk]ey|NAME|KEY)(?![A-Za-z]){_JOIN}{_QUOTE}(?P<name>[A-Za-z_][\w./-]{{1,100}}){_QUOTE}"
_VALUE: Final = re.compile(
    rf"(?:[Vv]alue|[Vv]al|VALUE)(?![A-Za-z]){_JOIN}"
    r"(?:(?P<quote>\\{0,4}[\"'])(?P<quoted>(?:(?!(?P=quote)).){1,400})(?P=quote)|(?P<bare>[^\s\"'<>,;{}\[\]\\|]+))"
)
_BESIDE: Final = r"(?:[\s,;|]|\\[nrt]|</?[A-Za-z]{1,20}>|#[^\n]{0,100}\n){1,40}"
_TYPED: Final = rf"(?:{_QUOTE}[A-Za-z]{{4,12}}{_JOIN}{_QUOTE}[\w:./-]{{1,40}}{_QUOTE}{_BESIDE}){{0,2}}"
_NAME_BEFORE: Final = re.compile(rf"{_NAMED}{_BESIDE}{_TYPED}<?{_QUOTE}{_PREFIX}$")
_NAME_AFTER: Final = re.compile(rf"(?:[ \t,;|]|\\[nrt]|\r?\n[ \t]+){{1,20}}{_QUOTE}{_PREFIX}{_NAMED}")
_NEAR: Final = 240

_LINE_END: Final = re.compile(r"(\r?\n|\\{1,2}n)")
_OPENS: Final = re.compile(
    r"(?P<indent>[ \t]*)(?:- )?[\"']?(?P<name>[A-Za-z_][\w./-]{1,100})[\"']?[ \t]*:[ \t]*[|"
    r">][+-]?[0-9]?[+-]?[ \t]*(?:#.*)?$"
)
_BLOCK_LINES: Final = 80


_ELEMENT: Final = re.compile(
    r"(?:[Nn]ame|[Kk]ey|"
    r"id)=\\{0,4}[\"'](?P<name>[\w./-]{2,100})\\{0,4}[\"'][^<>]{0,60}>\s*(?P<value>[^<>]{4,200}?)\s*</"
)
_TRIPLE: Final = re.compile(
    r"(?P<name>[A-Za-z_][\w.-]{1,100})[\"']?\s*[:=]\s*[bBfFrR]?(?P<quote>\"{3}|"
    r"'{3})\s*(?P<value>.{4,4000}?)\s*(?P=quote)",
    re.DOTALL,
)


def _inside(text: str) -> Iterator[TextSpan]:
    """What an element's attribute or an assignment names, over one or several lines."""
    for pattern in (_ELEMENT, _TRIPLE):
        for found in pattern.finditer(text):
            if is_secret_under(found["name"], found["value"], quoted=True):
                yield TextSpan(*found.span("value"), "secret")


def _beside(text: str) -> Iterator[TextSpan]:
    for found in _VALUE.finditer(text):
        name = _NAME_BEFORE.search(text[max(0, found.start() - _NEAR) : found.start()]) or _NAME_AFTER.match(
            text, found.end()
        )
        part = "bare" if found["quoted"] is None else "quoted"
        if name is not None and is_secret_under(name["name"], found[part], quoted=part == "quoted"):
            yield TextSpan(*found.span(part), "secret")


def _blocks(text: str) -> Iterator[TextSpan]:
    parts = _LINE_END.split(text)
    at, until, indent = 0, 0, -1
    name = ""
    for number, part in enumerate(parts):
        inside = number < until and not number % 2
        if inside and part.strip():
            depth = len(part) - len(part.lstrip())
            if depth <= indent:
                until = 0
            elif names_secret(name) or is_secret_under(name, part.strip(), quoted=True):
                yield TextSpan(at + depth, at + len(part.rstrip()), "secret")
        if number >= until and not number % 2 and (opened := _OPENS.search(part)):
            name, indent, until = opened["name"], len(opened["indent"]), number + 2 * _BLOCK_LINES
        at += len(part)


RULES: Final = (
    SecretRule(r"(?:[Nn]ame|[Kk]ey|\bid)=\\{0,4}[\"'][\w./-]{2,}\\{0,4}[\"'][^<>]*>|\"{3}|'{3}", _inside, 600),
    SecretRule(r"(?:[Vv]alue|[Vv]al|VALUE)\\{0,4}[\"']?[ \t]*(?:=>|:=|[:=>])", _beside, 600),
    SecretRule(r":[ \t]*[|>][+-]?[0-9]?[+-]?[ \t]*(?:#[^\n]*)?(?:\n|\\+n)", _blocks, 4_000),
)
