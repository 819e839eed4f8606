"""Requests that log lines tell of, to series as if they had been counted: an access log alone is evidence.

The fields are those that web servers, proxies and gateways write, by their own names. A duration is taken only where
the field's name or the value says its unit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agents.evidence.types import FloatArray, LogLine, RawSeries

_STATUS: Final = (
    *("status", "response_code", "status_code", "statuscode", "http.status_code", "http.response.status_code"),
    *("http_status", "sc-status", "downstreamstatus", "elb_status_code", "response.status", "res.statuscode"),
    *("response_status", "cs-status"),
)
_REQUEST: Final = (
    *("path", "method", "uri", "url", "request", "request_uri"),
    *("requestpath", "request_path", "url.path", "http.request.method", "http.method", "verb"),
    *("cs-method", "cs-uri-stem", "requestmethod", "request_method", "backend", "upstream"),
    *("route", "http_method", "req.url"),
)
_PATH: Final = (
    *("path", "url.path", "request_uri", "requestpath", "request_path", "uri"),
    *("url", "cs-uri-stem", "route"),
)
_SECONDS: Final = (
    *("duration_s", "request_time", "time_taken_s", "elapsed_s", "latency_s", "http.server.request.duration"),
)
_MILLISECONDS: Final = (
    *("duration_ms", "elapsed_ms", "latency_ms", "response_time_ms", "time-taken", "took_ms"),
    *("responsetime_ms",),
)
_WITH_UNIT: Final = (*("duration", "latency", "took", "elapsed", "response_time", "responsetime"),)
_UNIT: Final = re.compile(r"(\d+(?:\.\d+)?)\s?(ns|us|µs|ms|s)")
_FACTOR: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_VARIABLE: Final = re.compile(r"(?<=/)(?:\d+|[0-9a-fA-F-]{8,}|[^/]{40,})(?=/|$)")
_LEAST: Final = 20  # requests without which a share means nothing
_PER_CELL: Final = 4
_FINEST_S: Final = 5.0
_COARSEST_S: Final = 300.0
_ROUTES: Final = 24


@dataclass(frozen=True, kw_only=True)
class Request:
    """One answered request. `seconds` is None where the log does not say how long it took, or not in which unit."""

    status: int
    path: str
    seconds: float | None


def request_in(fields: Mapping[str, str]) -> Request | None:
    """The request that a line's fields tell of, else None."""
    if not fields:
        return None
    lowered = {key.lower(): value for key, value in fields.items()}
    status = next((lowered[k] for k in _STATUS if k in lowered), "")
    if len(status) != 3 or not status.isdigit() or not any(k in lowered for k in _REQUEST):
        return None
    path = next((lowered[k] for k in _PATH if k in lowered), "")
    return Request(status=int(status), path=path, seconds=_seconds(lowered))


def _seconds(fields: Mapping[str, str]) -> float | None:
    for names, factor in ((_SECONDS, 1.0), (_MILLISECONDS, 1e-3)):
        for name in names:
            if (value := _number(fields.get(name, ""))) is not None:
                return value * factor
    for name in _WITH_UNIT:
        if found := _UNIT.fullmatch(fields.get(name, "")):
            return float(found[1]) * _FACTOR[found[2]]
    if "response_flags" in fields:  # Envoy's durations are milliseconds
        value = _number(fields.get("duration", ""))
        return None if value is None else value * 1e-3
    if "downstreamstatus" in fields:  # Traefik's are nanoseconds
        value = _number(fields.get("duration", ""))
        return None if value is None else value * 1e-9
    return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e15 else None


def route_of(path: str) -> str:
    """A path without its query, ids as `:id`."""
    plain = re.sub(r"^[a-z]+://[^/]+", "", path.split("?", 1)[0].split("#", 1)[0])
    return _VARIABLE.sub(":id", plain)[:80] or "/"


def request_series(lines: Sequence[LogLine]) -> list[RawSeries]:
    """Counters of requests by status and route, and of the time they took, per service, as
    `/metrics` would have them.
    """
    of_service: dict[str, list[tuple[float, Request]]] = defaultdict(list)
    for line in lines:
        request = request_in(line.fields)
        if request is not None:
            of_service[line.service].append((line.time.timestamp(), request))
    found: list[RawSeries] = []
    for service, requests in sorted(of_service.items()):
        if len(requests) >= _LEAST:
            found += _counters(service, requests)
    return found


def _counters(service: str, requests: Sequence[tuple[float, Request]]) -> list[RawSeries]:
    stamps = np.array([at for at, _ in requests], dtype=np.float64)
    first, last = float(stamps.min()), float(stamps.max())
    cell = float(np.clip(_PER_CELL * (last - first) / len(requests), _FINEST_S, _COARSEST_S))
    # A counter's first sample tells what was before, so that the first requests count, too.
    edges: FloatArray = first - cell + cell * np.arange(int((last - first) / cell) + 3, dtype=np.float64)
    routes = _busiest([route_of(request.path) for _, request in requests])
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, ((_, request), route) in enumerate(zip(requests, routes, strict=True)):
        groups[str(request.status), route].append(index)
    series = []
    for (status, route), members in sorted(groups.items()):
        labels = {"service": service, "code": status, "route": route}
        counted = np.searchsorted(np.sort(stamps[members]), edges, side="right").astype(np.float64)
        series.append(_series("http_requests_total", labels, edges, counted))
    timed = [index for index, (_, request) in enumerate(requests) if request.seconds is not None]
    if timed:
        order = sorted(timed, key=lambda index: stamps[index])
        sums = np.concatenate([[0.0], np.cumsum([requests[index][1].seconds or 0.0 for index in order])])
        place = np.searchsorted(stamps[order], edges, side="right")
        labels = {"service": service}
        series.append(_series("http_request_duration_seconds_sum", labels, edges, sums[place]))
        series.append(_series("http_request_duration_seconds_count", labels, edges, place.astype(np.float64)))
    return series


def _busiest(routes: Sequence[str]) -> list[str]:
    counts: dict[str, int] = defaultdict(int)
    for route in routes:
        counts[route] += 1
    kept = set(sorted(counts, key=lambda route: (-counts[route], route))[:_ROUTES])
    return [route if route in kept else "other" for route in routes]


def _series(name: str, labels: Mapping[str, str], times: FloatArray, values: FloatArray) -> RawSeries:
    return RawSeries(name=name, labels=labels, kind="counter", times=times, values=values)
