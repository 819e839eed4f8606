"""Raw Prometheus-style series to indicators that mean something: rates, error ratios, latencies, saturation.

Works on any system that follows the naming conventions; `names.py` says how a name is read. Rates, ratios and means use
a trailing window of 10 s, or one sample where sampling is slower.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.grid import Grid, build_grid, last_seen, trailing_sum
from agents.evidence.metrics.meaning import Meaning, as_indicator, read_group
from agents.evidence.metrics.samples import Rows, fill_rows, process_of
from agents.evidence.names import (
    CLIENT_WORDS,
    DATASTORE_WORDS,
    ERROR_WORDS,
    LIMIT_WORDS,
    REQUEST_WORDS,
    ROUTE_LABELS,
    SKIPPED_WORDS,
    STATUS_LABELS,
    USE_WORDS,
    WAIT_WORDS,
    client_peer,
    first_label,
    is_bad_status,
    is_datastore,
    sample_kind,
    seconds_per_unit,
    words,
)
from agents.evidence.types import Family, FloatArray, RawKind, RawSeries, Series

RATE_WINDOW_S = 10.0
RESTART_WINDOW_S = 60.0
RARE_SHARE = 0.1
RARE_IN_WINDOW = 20.0
MIN_REQUESTS = 2.0  # fewer in a window make no ratio or mean
MIN_QUANTILE_REQUESTS = 20.0  # below that a 95th percentile is just the slowest request
QUANTILE_WINDOWS = 2  # quantiles look back twice as far as rates
MAX_ROUTES = 24  # busiest first; label explosions must not eat the time budget


@dataclass(kw_only=True)
class _Parts:
    """The rows of one histogram."""

    buckets: list[int]
    sums: list[int]
    counts: list[int]


ServiceOf = Callable[[RawSeries], str | None]


def derive_indicators(raw: Sequence[RawSeries], service_of: ServiceOf) -> list[Series]:
    """Indicators of every service that `service_of` names (None or "" leaves a series out), in a stable order.

    All results share one times array. Never raises on bad samples: they become NaN or vanish.
    """
    ordered = sorted(raw, key=lambda r: (r.name, sorted(r.labels.items())))
    named = [(r, service) for r in ordered if (service := service_of(r)) and r.times.size and r.values.size]
    named = [(r, s) for r, s in named if SKIPPED_WORDS.isdisjoint(words(r.name))]
    if not named:
        return []
    with np.errstate(all="ignore"):
        rows = Rows(
            raw=[r for r, _ in named],
            service=[s for _, s in named],
            kind=[sample_kind(r.name, r.kind, has_le="le" in r.labels) for r, _ in named],
            grid=build_grid([(r.times, r.values) for r, _ in named]),
        )
        if rows.grid.times.size < 2:
            return []
        fill_rows(rows)
        cells = rate_cells(rows.grid)
        totals = {n: trailing_sum(rows.increments, n * cells) for n in (1, QUANTILE_WINDOWS)}
        out: list[Series] = []
        by_service: dict[str, list[int]] = defaultdict(list)
        for index, service in enumerate(rows.service):
            by_service[service].append(index)
        meanings = _gauge_meanings(rows)
        for service in sorted(by_service):
            out.extend(_ServiceView(rows, service, by_service[service], totals=totals, meanings=meanings).indicators())
    return out


def rate_cells(grid: Grid) -> int:
    """Cells in the window over which rates are taken."""
    return max(1, round(RATE_WINDOW_S / grid.step_s))


def _gauge_meanings(rows: Rows) -> dict[str, Meaning]:
    """What each gauge means, as all services' samples of it tell."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, series in enumerate(rows.raw):
        if rows.kind[index] == "gauge":
            members[series.name].append(index)
    return {
        name: read_group(
            name,
            [rows.grid.values[i] for i in found],
            unit=rows.raw[found[0]].unit,
            declared=_declared(rows.raw[found[0]]),
        )
        for name, found in members.items()
    }


def _declared(series: RawSeries) -> RawKind:
    return "gauge" if series.kind == "gauge" else "unknown"


class _ServiceView:
    """Everything of one service: groups rows by meaning and turns each group into series."""

    def __init__(
        self,
        rows: Rows,
        service: str,
        members: list[int],
        totals: Mapping[int, FloatArray],
        meanings: Mapping[str, Meaning],
    ) -> None:
        self.rows = rows
        self.service = service
        self.members = members
        self.times = rows.grid.times
        self.totals = totals
        self.meanings = meanings
        self.window_s = rate_cells(rows.grid) * rows.grid.step_s
        self.out: list[Series] = []

    def indicators(self) -> list[Series]:
        by_name: dict[str, list[int]] = defaultdict(list)
        for index in self.members:
            by_name[self.rows.raw[index].name].append(index)
        histograms = self._histogram_bases(by_name)
        for base in sorted(histograms):
            self._histogram(base, by_name)
        self._own_time(histograms, by_name)
        has_requests = any(s.family == "traffic" and s.peer is None for s in self.out)
        for name in sorted(by_name):
            base = name.rsplit("_", 1)[0]
            if base in histograms and name.endswith(("_bucket", "_sum", "_count")):
                continue
            if self.rows.kind[by_name[name][0]] == "counter":
                self._counter(name, by_name[name], has_requests=has_requests)
        self._gauges({n: i for n, i in by_name.items() if self.rows.kind[i[0]] == "gauge"})
        self._restarts(by_name)
        return _unique(self.out)

    def _emit(
        self,
        indicator: str,
        family: Family,
        unit: str,
        values: FloatArray,
        *,
        peer: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        if np.isfinite(values).any():
            self.out.append(
                Series(
                    service=self.service,
                    indicator=indicator,
                    family=family,
                    unit=unit,
                    labels=labels or {},
                    times=self.times,
                    values=values,
                    peer=peer,
                )
            )

    def _sum(self, members: Sequence[int], windows: int = 1) -> FloatArray:
        """Increments of several counters together over the trailing window; NaN where none of them is known."""
        index = list(members)
        return np.where(self.rows.known[index].any(axis=0), self.totals[windows][index].sum(axis=0), np.nan)

    def _by_label(self, members: Iterable[int], names: Sequence[str]) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = defaultdict(list)
        for index in members:
            groups[first_label(self.rows.raw[index].labels, names) or ""].append(index)
        return groups

    def _by_peer(self, name: str, members: Iterable[int]) -> dict[str | None, list[int]]:
        groups: dict[str | None, list[int]] = defaultdict(list)
        for index in members:
            groups[client_peer(name, self.rows.raw[index].labels)].append(index)
        return groups

    def _routes(self, members: Sequence[int]) -> list[tuple[str, list[int]]]:
        groups = self._by_label(members, ROUTE_LABELS)
        if len(groups) < 2:
            return []
        load = {r: float(np.nansum(self.rows.increments[i])) for r, i in groups.items() if r}
        return [(r, groups[r]) for r in sorted(sorted(load, key=lambda r: (-load[r], r))[:MAX_ROUTES])]

    def _route(self, route: str, members: Sequence[int], whole: Sequence[int]) -> dict[str, str]:
        """Labels of a route's indicators: whether it has so few requests that a single one makes a difference."""
        mine, total = (float(np.nansum(self.rows.increments[list(rows)])) for rows in (members, whole))
        in_window = mine * rate_cells(self.rows.grid) / max(self.times.size, 1)
        rare = mine < RARE_SHARE * total or in_window < RARE_IN_WINDOW
        return {"route": route, **({"rare": "1"} if rare else {})}

    # Histograms

    def _histogram_bases(self, by_name: Mapping[str, list[int]]) -> set[str]:
        bases = {n.removesuffix("_bucket") for n, i in by_name.items() if self.rows.kind[i[0]] == "histogram_bucket"}
        summaries = {n.removesuffix("_sum") for n in by_name if n.endswith("_sum")}
        return bases | {b for b in summaries if f"{b}_count" in by_name}

    def _histogram(self, base: str, by_name: Mapping[str, list[int]]) -> None:
        """Mean and 95th percentile per peer, or overall and per route on the server side."""
        buckets = self._by_peer(base, by_name.get(f"{base}_bucket", []))
        sums = self._by_peer(base, by_name.get(f"{base}_sum", []))
        counts = self._by_peer(base, by_name.get(f"{base}_count", []))
        scale = seconds_per_unit(base)
        for peer in sorted({*buckets, *counts}, key=lambda k: (k is not None, k or "")):
            parts = _Parts(buckets=buckets.get(peer, []), sums=sums.get(peer, []), counts=counts.get(peer, []))
            family = _histogram_family(base, peer)
            timed = family in ("latency", "dependency_latency")
            label = "latency" if timed else base
            self._mean_and_p95(label, family, scale, parts, peer=peer)
            if timed:
                self._requests(parts.counts, peer)
            if family == "latency":
                by_route = {name: dict(self._routes(rows)) for name, rows in vars(parts).items()}
                for route, rows in by_route["counts"].items():
                    some = _Parts(
                        buckets=by_route["buckets"].get(route, []), sums=by_route["sums"].get(route, []), counts=rows
                    )
                    self._mean_and_p95(
                        f"{label} {route}", family, scale, some, labels=self._route(route, rows, parts.counts)
                    )

    def _mean_and_p95(
        self,
        label: str,
        family: Family,
        scale: float | None,
        parts: _Parts,
        *,
        peer: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        unit, factor = ("s", scale) if scale is not None else ("", 1.0)
        if parts.sums and parts.counts:
            count = self._sum(parts.counts)
            mean = np.where(count >= MIN_REQUESTS, self._sum(parts.sums) / count * factor, np.nan)
            self._emit(f"{label} mean", family, unit, mean, peer=peer, labels=labels)
        if parts.buckets:
            p95 = self._bucket_quantile(parts.buckets, 0.95) * factor
            self._emit(f"{label} p95", family, unit, p95, peer=peer, labels={**(labels or {}), "statistic": "p95"})

    def _bucket_quantile(self, members: list[int], level: float) -> FloatArray:
        """PromQL's histogram_quantile: linear inside a bucket; the last finite bound if it falls in the open bucket."""
        groups: dict[float, list[int]] = defaultdict(list)
        for index in members:
            bound = _bound(self.rows.raw[index].labels.get("le", ""))
            if bound is not None:
                groups[bound].append(index)
        bounds = sorted(groups)
        if len(bounds) < 2 or not np.isinf(bounds[-1]):
            return np.full(self.times.size, np.nan)
        cumulative = np.maximum.accumulate(
            np.nan_to_num(np.vstack([self._sum(groups[b], QUANTILE_WINDOWS) for b in bounds])), axis=0
        )
        total = cumulative[-1]
        bucket = np.minimum((cumulative >= level * total).argmax(axis=0), len(bounds) - 2)
        columns = np.arange(total.size)
        upper = np.array(bounds[:-1])
        lower = np.concatenate([[min(0.0, bounds[0])], upper[:-1]])
        below = np.where(bucket > 0, cumulative[np.maximum(bucket - 1, 0), columns], 0.0)
        inside = cumulative[bucket, columns] - below
        share = np.clip(np.where(inside > 0, (level * total - below) / inside, 1.0), 0.0, 1.0)
        value = lower[bucket] + (upper[bucket] - lower[bucket]) * share
        return np.where(total >= MIN_QUANTILE_REQUESTS, value, np.nan)

    def _own_time(self, bases: set[str], by_name: Mapping[str, list[int]]) -> None:
        """Mean server time minus the time spent in calls to other services: what this service itself takes.

        Time in a data store stays in: the query is the service's own. Concurrent calls can exceed the whole; then 0.
        """
        spent = np.zeros(self.times.size)
        server_sum = server_count = None
        has_client = False
        for base in sorted(bases):
            scale = seconds_per_unit(base)
            if scale is None:
                continue
            sums, counts = by_name.get(f"{base}_sum", []), by_name.get(f"{base}_count", [])
            for peer, members in self._by_peer(base, sums).items():
                family = _histogram_family(base, peer)
                if family == "latency" and server_sum is None:
                    server_sum = self._sum(members) * scale
                    server_count = self._sum(self._by_peer(base, counts).get(None, []))
                elif family == "dependency_latency" and peer is not None and not is_datastore(peer):
                    spent += np.nan_to_num(self._sum(members)) * scale
                    has_client = True
        if server_sum is None or server_count is None or not has_client:
            return
        own = np.maximum(server_sum - spent, 0.0) / server_count
        self._emit(
            "own time mean", "latency", "s", np.where(server_count >= MIN_REQUESTS, own, np.nan), labels={"own": "1"}
        )

    # Counters

    def _requests(self, members: list[int], peer: str | None) -> None:
        """Traffic and, where a status label tells, the share of failed requests; also per route on the server side."""
        if not members:
            return
        side = "calls" if peer is not None else "requests"
        if not any(s.indicator == f"{side} rate" and s.peer == peer for s in self.out):
            self._emit(f"{side} rate", "traffic", "/s", self._sum(members) / self.window_s, peer=peer)
        self._error_ratio(members, peer, "error ratio", {})
        if peer is None:
            for route, route_members in self._routes(members):
                self._error_ratio(
                    route_members, peer, f"error ratio {route}", self._route(route, route_members, members)
                )

    def _error_ratio(self, members: list[int], peer: str | None, indicator: str, labels: Mapping[str, str]) -> None:
        statuses = self._by_label(members, STATUS_LABELS)
        if not any(statuses):
            return
        total = self._sum(members)
        failed = [index for status, group in statuses.items() if is_bad_status(status) for index in group]
        bad = np.nan_to_num(self._sum(failed)) if failed else np.zeros(self.times.size)
        ratio = np.where(total >= MIN_REQUESTS, np.minimum(bad / total, 1.0), np.nan)
        family: Family = "errors" if peer is None else "dependency_errors"
        self._emit(indicator, family, "ratio", ratio, peer=peer, labels=labels)

    def _counter(self, name: str, members: list[int], *, has_requests: bool) -> None:
        found = set(words(name))
        if "cpu" in found and "seconds" in found:
            self._emit("cpu", "cpu", "cores", self._sum(members) / self.window_s)
            return
        restarts = bool(found & {"restart", "restarts"})
        for peer, group in self._by_peer(name, members).items():
            has_status = any(self._by_label(group, STATUS_LABELS))
            if has_status and found & (REQUEST_WORDS | DATASTORE_WORDS | CLIENT_WORDS | {"responses"}):
                self._requests(group, peer)
            elif restarts:
                self._emit_restarts(name, np.nansum(self.rows.increments[group], axis=0))
            elif found & ERROR_WORDS:
                family: Family = "errors" if peer is None else "dependency_errors"
                self._emit(f"{name} rate", family, "/s", self._sum(group) / self.window_s, peer=peer)
            elif found & {"requests", "request"} and peer is None and not has_requests:
                self._requests(group, None)
            else:
                unit = "bytes/s" if "bytes" in found else "s/s" if "seconds" in found else "/s"
                self._emit(f"{name} rate", "other", unit, self._sum(group) / self.window_s, peer=peer)

    # Gauges

    def _gauges(self, by_name: Mapping[str, list[int]]) -> None:
        for name in sorted(by_name):
            found = words(name)
            if name.endswith("start_time_seconds") or "timestamp" in found:
                continue
            if name == "up":
                self._emit("down", "restarts", "", 1.0 - np.fmin.reduce(self.rows.level[by_name[name]], axis=0))
                continue
            summary = self._by_label(by_name[name], ("quantile",))
            if any(summary):
                self._summary(name, summary)
                continue
            for pool, members in self._by_label(
                by_name[name], ("pool", "name", "queue", "device", "mountpoint")
            ).items():
                level = np.nansum(self.rows.level[members], axis=0)
                level = np.where(np.isfinite(self.rows.level[members]).any(axis=0), level, np.nan)
                meaning = self.meanings[name]
                if meaning.kind == "identity":
                    continue
                shown = f"{name} {pool}".strip()
                self.out.append(as_indicator(self.service, shown, meaning, self.times, level))
                limit = self._limit_of(name, by_name, pool)
                if limit is not None:
                    used = np.where(limit > 0, level / limit, np.nan)
                    self._emit(f"{shown} share of limit", "saturation", "ratio", used)

    def _summary(self, name: str, by_quantile: Mapping[str, list[int]]) -> None:
        scale = seconds_per_unit(name)
        highest = max((q for q in by_quantile if q), key=lambda q: _bound(q) or 0.0)
        for peer, members in self._by_peer(name, by_quantile[highest]).items():
            family: Family = "other" if scale is None else "latency" if peer is None else "dependency_latency"
            value = np.fmax.reduce(self.rows.level[members], axis=0) * (scale or 1.0)
            self._emit(f"{name} q{highest}", family, "s" if scale else "", value, peer=peer)

    def _limit_of(self, name: str, by_name: Mapping[str, list[int]], pool: str) -> FloatArray | None:
        """The sibling gauge that limits this one: same words but for "in use" against "size", "open" against "max"."""
        found = set(words(name))
        if not found & USE_WORDS or found & LIMIT_WORDS:
            return None
        stem = found - USE_WORDS
        for other in sorted(by_name):
            theirs = set(words(other))
            if other != name and theirs & LIMIT_WORDS and theirs - LIMIT_WORDS - USE_WORDS == stem:
                members = self._by_label(by_name[other], ("pool", "name", "queue", "device", "mountpoint")).get(pool)
                if members:
                    return np.asarray(np.nansum(self.rows.level[members], axis=0), dtype=np.float64)
        return None

    def _restarts(self, by_name: Mapping[str, list[int]]) -> None:
        """How often the service's processes began anew.

        From `process_start_time_seconds`; without it from most counters of a process falling in the same cell.
        """
        starts = [i for n, members in by_name.items() if n.endswith("start_time_seconds") for i in members]
        began = np.zeros(self.times.size)
        if starts:
            for index in starts:
                level = self.rows.level[index]
                known = np.flatnonzero(np.isfinite(level))
                moved = np.flatnonzero(np.diff(level[known]) > 0.5)
                began[known[moved + 1]] += 1
        else:
            began += self._mass_resets()
        self._emit_restarts("restarts", began)

    def _emit_restarts(self, indicator: str, began: FloatArray) -> None:
        """Restarts within the last minute, so that what is over falls back to zero."""
        cells = max(1, round(RESTART_WINDOW_S / self.rows.grid.step_s))
        self._emit(indicator, "restarts", "restarts", trailing_sum(began[None, :], cells)[0])

    def _mass_resets(self) -> FloatArray:
        began = np.zeros(self.times.size)
        processes: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index in self.members:
            if self.rows.kind[index] != "gauge":
                processes[process_of(self.rows.raw[index], self.service)].append(index)
        for members in processes.values():
            level = self.rows.grid.values[members]
            seen = last_seen(np.isfinite(level))
            filled = np.where(seen >= 0, np.take_along_axis(level, np.maximum(seen, 0), axis=1), np.nan)
            alive = np.maximum((filled[:, :-1] > 0).sum(axis=0), 1)
            fell = (np.diff(filled, axis=1) < 0).sum(axis=0)
            began[1:] += fell >= np.maximum(1, 0.5 * alive)
        return began


def _histogram_family(base: str, peer: str | None) -> Family:
    found = set(words(base))
    if seconds_per_unit(base) is None:
        return "other"
    if found & (WAIT_WORDS | {"pool"}):
        return "saturation"
    if peer is not None:
        return "dependency_latency"
    return "latency" if found & (REQUEST_WORDS | {"duration", "latency"}) else "other"


def _bound(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if np.isnan(value) else value


def _unique(found: list[Series]) -> list[Series]:
    """The first of each (indicator, peer): two metrics of one service may tell the same thing."""
    kept: dict[tuple[str, str | None], Series] = {}
    for series in found:
        kept.setdefault((series.indicator, series.peer), series)
    return list(kept.values())
