"""Secrets known by what carries them: headers, cookies, URLs, command lines, Kubernetes manifests."""

import re
from collections.abc import Iterator

import re2

from store.secrets.pairs import SecretRule, TextSpan, group, is_value, looks_random

# Headers, cookies and URLs

_SCHEMES = frozenset({"basic", "bearer", "token", "negotiate", "digest", "apikey", "splunk", "geniekey"})
_HEADER = re2.compile(
    r"(?i)\b(?:proxy-)?authorization[\"'\\]*\s*(?:[:=]|=>)\s*[\"'\\]*"
    r"(?:(?:basic|bearer|token|ntlm|negotiate|digest|apikey|aws|bot|key|splunk|genie(?:key)?|sso-key)\s+)?"
    r"(?:token\s*=\s*)?[\"'\\]*(?P<value>[A-Za-z0-9+/=_~.:%|!*-]{6,})"
    r"|\bbearer[\"'\\:= ]+(?P<bearer>[A-Za-z0-9+/=_~.-]{16,})"
    r"|\bbasic (?P<basic>[A-Za-z0-9+/]{12,}={0,2})"
)
_COOKIE = re2.compile(r"(?i)\b(?:set-)?cookie[\"'\\]*\s*[:=]\s*[\"'\\]*(?P<value>[^\"'\r\n]+)")
_SESSION = re.compile(
    r"(?i)(?:^|[;\s])[\w.-]{0,100}(?:sess|sid|auth|token|jwt|csrf|xsrf|remember|login|secret)[\w.-]{0,100}=([^;\s\"']{8,})"
)
_URL = re2.compile(
    r"\b[A-Za-z][A-Za-z0-9+._-]{1,30}://[^\s/:@\"'<>?#]*:(?P<value>[^\s/\"'<>]*(?:/[^\s/\"'<>@]*)?)@[^\s@]"
)
_SIGNATURES = (
    "sig|signature|x-amz-signature|x-amz-security-token|x-amz-key|x-goog-signature|code|credential|key|hmac|sas|st"
)
_SIGNED = re2.compile(rf"(?i)[?&;](?:{_SIGNATURES})=(?P<value>[A-Za-z0-9%_+/=.~-]{{16,}})")
_CURL_USER = re2.compile(
    r"(?:\s-u|\s--user|\s--proxy-user)[ =]{0,3}[\"']?[^\s:\"'\[]*[\"']?:[\"']?(?P<value>[^\s\"']+)"
)


def _headers(text: str) -> Iterator[TextSpan]:
    for found in _HEADER.finditer(text):
        for name in ("value", "bearer", "basic"):
            value = found.group(name)
            if value is None or not is_value(value) or value.lower().rstrip("=:") in _SCHEMES:
                continue
            if name == "value" or not (value.isalpha() and value.islower()):  # "bearer" and "basic" are words too
                yield group(found, name, "auth_header")


def _cookies(text: str) -> Iterator[TextSpan]:
    for found in _COOKIE.finditer(text):
        at = group(found, "value", "").start
        for session in _SESSION.finditer(found.group("value")):
            if is_value(session.group(1)):
                yield TextSpan(at + session.start(1), at + session.end(1), "session_cookie")


def _urls(text: str) -> Iterator[TextSpan]:
    for found in _URL.finditer(text):
        if is_value(found.group("value")):
            yield group(found, "value", "url_password")


def _signed(text: str) -> Iterator[TextSpan]:
    for found in _SIGNED.finditer(text):
        if looks_random(found.group("value")):
            yield group(found, "value", "url_secret")


def _curl_users(text: str) -> Iterator[TextSpan]:
    for found in _CURL_USER.finditer(text):
        if is_value(found.group("value")):
            yield group(found, "value", "password")


# Kubernetes

_MANIFEST = re2.compile(r"(?i)\bkind[\"']?\s*:\s*[\"']?secret\b")
_DATA = re2.compile(r"(?i)\b(?:string)?data[\"']?\s*:")
_ENTRY = re2.compile(
    r"[\w.-]+[\"']?[ \t]*:[ \t]*[\"']?(?P<value>[A-Za-z0-9+/]{10,}={0,3})[\"']?[ \t]*(?:[\r\n},]|\\\\n|$)"
)
_NEAR = 2_000  # characters between the kind and its data


def _manifests(text: str) -> Iterator[TextSpan]:
    """The values of a Secret's data, before or after its kind."""
    seen = 0
    for kind in _MANIFEST.finditer(text):
        if kind.start() < seen:
            continue
        start, seen = max(seen, kind.start() - _NEAR), kind.end() + _NEAR
        data = _DATA.search(text, start, seen)
        if data is None:
            continue
        for entry in _ENTRY.finditer(text[data.end() : seen]):
            if not (entry.group("value").isalpha() and entry.group("value").islower()):
                found = group(entry, "value", "secret")
                yield TextSpan(data.end() + found.start, data.end() + found.end, found.kind)


RULES = (
    SecretRule(r"(?i)authorization|bearer[\"'\\:= ]|basic [A-Za-z0-9+/]{4}", _headers),
    SecretRule(r"(?i)cookie", _cookies),
    SecretRule(r"://[^\s/:@\"'<>?#]*:[^\s/\"'<>]", _urls),
    SecretRule(rf"(?i)[?&;](?:{_SIGNATURES})=", _signed),
    SecretRule(_CURL_USER.pattern, _curl_users),
    SecretRule(_MANIFEST.pattern, _manifests, 2 * _NEAR),
)
