"""Requests in access logs: method, path, status and duration, as web servers, proxies and frameworks print them.

A duration is taken only where its unit is known: a bare number at the end of a line may be seconds or microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_METHODS = r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE|PROPFIND|QUERY"
_REQUEST = re.compile(rf"\"(?P<method>{_METHODS}) (?P<path>[^\s\"]{{1,2000}})(?: HTTP/[\d.]+)?\"")
_STATUS = re.compile(r" (?P<status>[1-5]\d\d|0)\b")
_HAPROXY = re.compile(
    r"\[[^\]]{18,40}\] (?P<frontend>\S+) (?P<backend>[^\s/]+)/(?P<server>\S+) "
    r"[+\d/-]+/(?P<total_ms>[+-]?\d+) (?P<status>-1|[1-5]\d\d) "
)
_BALANCER = re.compile(
    r"(?:http|https|h2|grpcs|ws|wss) \S+ app/\S+ \S+ \S+ "
    r"(?P<a>-?[\d.]+) (?P<b>-?[\d.]+) (?P<c>-?[\d.]+) (?P<status>[1-5]\d\d) "
)
_CLASSIC_BALANCER = re.compile(
    r"\S+ [\w-]+ \S+:\d+ \S+ (?P<a>-?[\d.]+) (?P<b>-?[\d.]+) (?P<c>-?[\d.]+) "
    r"(?P<status>[1-5]\d\d) (?:[1-5]\d\d|-) \d+ \d+ \""
)
_ENVOY = re.compile(r"\" [0-5]?\d?\d \S+ (?:\S+ \S+ \"[^\"]*\" )?\d+ \d+ (?P<ms>\d+) (?:\d+|-) \"")
_SQUID = re.compile(rf"\s*(?P<ms>\d+) \S+ [A-Z_]+/(?P<status>[1-5]\d\d) \d+ (?P<method>{_METHODS}) (?P<path>\S+)")
_UWSGI = re.compile(
    rf"(?P<method>{_METHODS}) (?P<path>\S+) => generated \d+ bytes in (?P<ms>\d+) msecs "
    r"\(HTTP/[\d.]+ (?P<status>[1-5]\d\d)\)"
)
_GIN = re.compile(
    rf"\|\s*(?P<status>[1-5]\d\d)\s*\|\s*(?P<took>[\d.]+(?:ns|µs|us|ms|s))\s*\|[^|]+\|\s*(?P<method>{_METHODS})\s+\"?(?P<path>[^\s\"]+)"
)
_COMPLETED = re.compile(r"\bCompleted (?P<status>[1-5]\d\d) [A-Za-z ]+ in (?P<ms>[\d.]+)ms")
_KEYED = re.compile(r"\b(?:rt|request_time|reqtime|duration)=\"?(?P<seconds>\d+\.\d+)(?:s\b|\b(?!ms))")
_SECONDS_AT_END = re.compile(r"\" (?P<seconds>\d+\.\d{3,6})(?: |$)")
_MILLISECONDS_AT_END = re.compile(r"\" (?P<ms>\d+)ms$")
# What a line has that the pattern can match; looking for it is cheaper.
_MARKED = ((" => generated ", _UWSGI), ("[GIN]", _GIN), ("TCP_", _SQUID), ("Completed ", _COMPLETED))
_FAR = 4_000  # characters
_TOLD = ("method", "path", "status", "backend", "server")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def request_fields(text: str) -> Mapping[str, str]:
    """`method`, `path`, `status` and `duration_s` of the request that a line tells of; empty where it tells of none."""
    quoted = _REQUEST.search(text, 0, _FAR)
    if found := _HAPROXY.search(text, 0, 600):
        return _fields(found.groupdict(), quoted, _duration(found.groupdict()))
    if quoted is not None:
        if found := (_BALANCER.match(text) or _CLASSIC_BALANCER.match(text)):
            return _fields(found.groupdict(), quoted, _duration(found.groupdict()))
        found = _STATUS.match(text, quoted.end())
        return _fields(found.groupdict(), quoted, _trailing(text)) if found else {}
    for mark, pattern in _MARKED:
        if mark in text and (found := pattern.search(text, 0, _FAR)):
            return _fields(found.groupdict(), None, _duration(found.groupdict()))
    return {}


def _fields(found: Mapping[str, str | None], quoted: re.Match[str] | None, seconds: float | None) -> Mapping[str, str]:
    told = {**(quoted.groupdict() if quoted else {}), **{k: v for k, v in found.items() if v and k in _TOLD}}
    if told.get("status") == "0":  # Envoy: the caller went away before there was an answer
        told["status"] = "499"
    if seconds is not None:
        told["duration_s"] = f"{seconds:.6g}"
    return told


def _duration(found: Mapping[str, str | None]) -> float | None:
    if found.get("total_ms"):
        return max(float(found["total_ms"] or 0), 0.0) / 1_000
    if found.get("a") is not None:
        parts = [float(found[k] or -1) for k in "abc"]
        return sum(parts) if min(parts) >= 0 else None
    if found.get("took"):
        return parse_duration(found["took"] or "")
    return float(found["ms"] or 0) / 1_000 if found.get("ms") else None


def _trailing(text: str) -> float | None:
    if found := (_ENVOY.search(text) or _MILLISECONDS_AT_END.search(text)):
        return float(found["ms"]) / 1_000
    if found := (_KEYED.search(text) or _SECONDS_AT_END.search(text)):
        return float(found["seconds"])
    return None


def parse_duration(text: str) -> float | None:
    """Seconds in a number with its unit, such as 1.2ms; None without a unit."""
    found = re.fullmatch(r"([\d.]+)\s?(ns|us|µs|ms|s|m)", text.strip())
    try:
        return float(found[1]) * _UNITS[found[2]] if found else None
    except ValueError:
        return None
