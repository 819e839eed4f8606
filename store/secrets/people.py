"""Numbers that belong to a person and are known by the words beside them: codes for one use, the code on a card's back,
patient, passport, health and other national numbers.

They look like any other number, so nothing is taken without its name.
"""

import re
from collections.abc import Iterator
from typing import Final

import re2

from store.secrets.pairs import SecretRule, TextSpan

_NUMBER: Final = r"(?i:[ _-]?(?:numbers?|no\b\.?|num|nr\b\.?|ids?|identifier|code|value|#)){0,2}"
_JOIN: Final = (
    r"\\{0,4}[\"']?\s{0,3}(?:(?:for|of|to)\s+[\w.@+-]{1,60}\s{0,3})?(?:(?:is|was|are|sent|=>|[:=#>-])\s{0,3}){0,3}"
    r"\\{0,4}[\"']?"
)
_END: Final = r"(?![\w%])(?!\s?(?:ms|s|sec|seconds|bytes|rows|items|times|[KMGkmg]i?[Bb])\b)(?![.:]\d)"


def _named(words: str, value: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(?<![A-Za-z])|(?<=[a-z_-]))(?:{words}){_NUMBER}{_JOIN}(?P<value>{value}){_END}")


_ONE_TIME: Final = (
    r"(?i:otp|totp|passcode|one[ _-]?time[ _-]?(?:password|passcode|code|pin)|"
    r"(?:verification|login|log[ -]?in|sign[ -]?in|auth(?:entication|orization)?|confirmation|access|2fa|mfa|"
    r"two[ -]factor|"
    r"sms|password reset|reset|activation|pairing|backup|recovery|security|one[ -]?time)[ _-]?(?:code|pin))|"
    r"TAN|PIN|(?i:(?:2fa|mfa|two[ -]factor)[ _-]?token)|(?i:pin[ _-]?code)|Pin"
)
_KINDS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "cvv",
        _named(r"CSC|(?i:cvv2?|cvc2?|cvn2?|card[ _-]?(?:verification|security)|security[ _-]?code)", r"[0-9]{3,4}"),
    ),
    (
        "one_time_code",
        _named(
            _ONE_TIME,
            r"[0-9]{3}[ -][0-9]{3}|[A-Z]{1,3}-?[0-9]{4,8}|[0-9]{4,8}|[A-Z0-9]{4}-[A-Z0-9]{4}|"
            r"(?=[A-Z0-9]{0,7}[0-9])(?=[A-Z0-9]{0,7}[A-Z])[A-Z0-9]{6,8}",
        ),
    ),
    (
        "one_time_code",
        re.compile(r"(?i)\bcode\b[: ]{1,3}(?P<value>[0-9]{4,8})\b(?=.{0,30}\b(?:valid|expires|share))"),
    ),
    (
        "one_time_code",
        re.compile(
            r"(?<![\w.-])(?P<value>[0-9]{4,8}|[0-9]{3}[ -][0-9]{3}|[A-Z]-[0-9]{4,8})\s+(?:is|as)\s+(?:your|the|a)\s+"
            r"(?:[\w-]+\s+){0,4}?(?:code|otp|pin|passcode|password)\b"
        ),
    ),
    (
        "one_time_code",
        re.compile(
            r"(?i)\b(?:enter|use|type|reply with)\s+(?:the\s+)?(?:code\s+)?(?P<value>[0-9]{4,8}|"
            r"[0-9]{3}[ -][0-9]{3})\s+"
            r"(?:to|as|for)\s+(?:[\w-]+\s+){0,4}?(?:verify|confirm|log ?in|sign ?in|code|complete|reset|authenticate)"
        ),
    ),
    (
        "medical_record",
        _named(
            r"MRN|(?i:mrn|medical[ _-]?rec(?:ords?)?|health[ _-]?record|patient(?=[ _-]?(?:id|no|num|nr|ident|#)))",
            r"[A-Z]{0,4}[ -]?[0-9][0-9-]{3,14}[A-Z]?",
        ),
    ),
    ("passport", _named(r"(?i:passport|reisepass|pasaporte|passeport)", r"[A-Z]{0,3}[0-9][A-Z0-9]{4,9}[0-9]")),
    ("passport", re.compile(r"(?<![\w<])(?P<value>P[A-Z<][A-Z]{3}[A-Z<]{20,39}(?:\s+[A-Z0-9<]{44})?)(?![\w<])")),
    (
        "health_number",
        _named(
            r"(?:NHS|CHI|OHIP|PHN|KVNR|MBI|EHIC)|(?i:\bnhs|\bohip|\bkvnr|\bmbi|\behic|medicare|medicaid|"
            r"health[ _-]?(?:card|insurance|care|plan|service)|krankenversichertennummer|krankenversicherten|"
            r"versichertennummer|carte[ _-]vitale|"
            r"national[ _-]health(?:[ _-](?:service|insurance))?)",
            r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}|[0-9]{4}[ -]?[0-9]{3}[ -]?[0-9]{3}(?:[ -]?[A-Z]{2})?|"
            r"[1-9][A-Z][A-Z0-9][0-9]-?[A-Z][A-Z0-9][0-9]-?[A-Z]{2}[0-9]{2}|[A-Z][0-9]{9}|"
            r"[0-9]{4}[ -]?[0-9]{5}[ -]?[0-9](?:[ /-]?[0-9])?|[0-9]{20}|[A-Z0-9]{2,4}[0-9]{6,12}|"
            r"[12][ ]?[0-9]{2}[ ]?[0-9]{2}[ ]?[0-9]{2}[ ]?[0-9]{3}[ ]?[0-9]{3}(?:[ ]?[0-9]{2})?",
        ),
    ),
    (
        "national_id",
        _named(
            r"(?:NI|TIN|ITIN|SIN|TFN|DNI|NIE|CPF|PESEL|BSN)(?=[ _-]?(?:numbers?|no\b|num|nr|#|:|=|is\b))|"
            r"(?i:nino|national[ _-]?insurance|national[ _-]?(?:identity|identification|id)(?:[ _-]?card)?|"
            r"identity[ _-]?card|"
            r"tax(?:payer)?[ _-]?(?:file|identification|reference|id)|social[ _-]?insurance|aadhaar|codice[ _-]fiscale|"
            r"steuer-?id\w*|personnummer|driver'?s?[ _-]?licen[cs]e|driving[ _-]?licen[cs]e|"
            r"personal[ _-]?(?:identity|identification))",
            r"[A-Z]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[A-D]|"
            r"[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{3}(?:[ .-][0-9]{2})?|"
            r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[0-9]{2}-[0-9]{7}|[0-9]{6,8}[ -]?[0-9]{4}|"
            r"[A-Z]{6}[0-9]{2}[A-Z][0-9]{2}[A-Z][0-9]{3}[A-Z]|[A-Z]{0,5}[0-9][A-Z0-9]{5,13}[0-9A-Z]",
        ),
    ),
)
_WORDS: Final[dict[str, str]] = {
    "cvv": r"\bcsc\b|cvv|cvc|cvn|security[ _-]?code|card[ _-]?(?:verif|secur)",
    "one_time_code": r"otp|passcode|one[ _-]?time[ _-]?(?:pass|code|pin)|\btan\b|\bpin\b|"
    r"(?:verification|log[ -]?in|sign[ -]?in|auth|authentication|authorization|confirmation|access|2fa|mfa|factor|sms|"
    r"reset|activation|pairing|backup|recovery|security)[ _-]?(?:code|pin)|(?:2fa|mfa|factor)[ _-]token|"
    r"\bcode\b[: ]|(?:is|as)\s+(?:your|the|a)\s|enter|use|type|with",
    "medical_record": r"mrn|medical|health[ _-]?rec|patient[ _-]?(?:id|no|num|nr|#)",
    "passport": r"passport|reisepass|pasaporte|passeport|P[A-Z<][A-Z]{3}[A-Z<]{4}",
    "health_number": r"health[ _-]?(?:card|ins|care|plan|serv)|\bnhs|ohip|kvnr|\bmbi\b|ehic|medicare|medicaid|"
    r"versicherten|"
    r"carte.vitale|\bchi\b|\bphn\b|national[ _-]?health",
    "national_id": r"insurance|nino\b|\bni\b|itin\b|\btin\b|\bsin\b|\btfn\b|\bdni\b|\bnie\b|\bcpf\b|pesel|\bbsn\b|"
    r"national[ _-]?id|identity[ _-]?card|\btax[ _-]?(?:file|id|ref)|taxpayer|aadhaar|codice|steuer|"
    r"personnummer|licen[cs]e|"
    r"personal[ _-]id",
}
_TELLING: Final = {kind: re.compile(rf"(?i){words}") for kind, words in _WORDS.items()}
_NAMES: Final = "|".join(
    words.removesuffix(r"|(?:is|as)\s+(?:your|the|a)\s|enter|use|type|with").removesuffix("|P[A-Z<][A-Z]{3}[A-Z<]{4}")
    for words in _WORDS.values()
)
_NEAR: Final = re2.compile(
    rf"(?i)(?:{_NAMES})[^\n0-9]{{0,70}}[0-9]|[0-9]{{3,8}}\s+(?:is|as)\s+(?:your|the|a)\s"
    r"|(?:enter|use|type|reply with)\s+(?:the\s+)?(?:code\s+)?[0-9]{3}|P[A-Z<][A-Z]{3}[A-Z<]{4}"
)
_BEFORE: Final = 24  # characters before what tells that there may be a number,
_AFTER: Final = 90  # and behind it


def _numbers(text: str) -> Iterator[TextSpan]:
    for near in _NEAR.finditer(text):
        start = max(near.start() - _BEFORE, 0)
        part = text[start : near.end() + _AFTER]
        said = near.group()
        told = {kind for kind, telling in _TELLING.items() if telling.search(said)}
        for kind, pattern in _KINDS:
            for found in pattern.finditer(part) if kind in told else ():
                if kind == "passport" or any(char.isdigit() for char in found["value"]):
                    yield TextSpan(start + found.start("value"), start + found.end("value"), kind)


RULES: Final = (
    SecretRule(
        rf"(?i){_NAMES}|[0-9] (?:is|as) (?:your|the|a) |(?:enter|use|type|reply with) (?:the )?(?:code )?[0-9]{{3}}"
        r"|(?-i:P[A-Z<][A-Z]{3}[A-Z<]{4})",
        _numbers,
        256,
    ),
)
