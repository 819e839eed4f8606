"""All that was read so far, parsed once and asked by the rules.

A read that was repeated counts with its latest answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from agents.evidence.kubernetes import parse
from agents.evidence.kubernetes.objects import (
    AlertLine,
    ClusterNode,
    FailedRequest,
    ListedEvent,
    ListedPod,
    ListedQuota,
    ListedService,
    ListedWorkload,
    PodDetail,
    Reach,
)
from agents.evidence.kubernetes.quantities import amount, seconds
from agents.evidence.kubernetes.tables import TableRow, left_out, rows
from agents.evidence.kubernetes.trees import TreeNode, parse_tree
from agents.evidence.kubernetes.types import ClusterReading, Quote, Read, What

_RESTARTS: Final = re.compile(r"(\d+)(?: \(([^ )]+) ago\))?")
_USED: Final = re.compile(r"([\w./-]+): ([\w.]+)/([\w.]+)")
_NAMESPACE: Final = re.compile(r"(?:^Namespace:\s+|No resources found in |^\s+namespace: )([a-z0-9-]+)", re.MULTILINE)
_QUIET: Final = re.compile(r"no errors in \d+ lines|No (?:error|recent) logs found")
_WORKLOADS: Final = ("deployments", "statefulsets", "daemonsets")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The reads of one investigation, of one namespace and its nodes."""

    readings: tuple[ClusterReading, ...]

    @cached_property
    def namespace(self) -> str:
        """The namespace that most outputs speak of; empty where none does."""
        named = [match.group(1) for reading in self.readings for match in _NAMESPACE.finditer(reading.text)]
        return max(named, key=named.count, default="")

    @cached_property
    def _latest(self) -> Mapping[Read, ClusterReading]:
        return {r.read: r for r in self.readings}

    def of(self, what: What, kind: str | None = None) -> list[ClusterReading]:
        return [r for r in self._latest.values() if r.read.what == what and kind in (None, r.read.kind)]

    def has(self, read: Read) -> bool:
        return read in self._latest

    def text(self, what: What, kind: str = "", name: str = "") -> str:
        """The text of one read, empty where it was not read."""
        found = self._latest.get(Read(what=what, kind=kind, name=name))
        return found.text if found else ""

    def rows(self, kind: str) -> list[tuple[TableRow, Quote]]:
        """The rows of all listings of one kind, each object once, the latest listing first."""
        found: dict[str, tuple[TableRow, Quote]] = {}
        for reading in reversed(self.of(What.LIST, kind)):
            for row in rows(reading.text):
                found.setdefault(row.name, (row, Quote(line=row.line, source=reading.source)))
        return list(found.values())

    def names(self, kind: str) -> tuple[str, ...]:
        """Names of all objects of a kind, those that a condensed listing only names included."""
        more = [word.split(" ")[0] for r in self.of(What.LIST, kind) for word in left_out(r.text)]
        return tuple(dict.fromkeys([row.name for row, _ in self.rows(kind)] + more))

    @cached_property
    def workload_names(self) -> tuple[str, ...]:
        return tuple(name for kind in _WORKLOADS for name in self.names(kind))

    @cached_property
    def pods(self) -> tuple[ListedPod, ...]:
        return tuple(pod for row, quote in self.rows("pods") if (pod := self._pod(row, quote)))

    def _pod(self, row: TableRow, quote: Quote) -> ListedPod | None:
        ready, slash, wanted = row.get("READY").partition("/")
        restarts = _RESTARTS.match(row.get("RESTARTS"))
        if not slash or not (ready.isdigit() and wanted.isdigit()):
            return None
        return ListedPod(
            name=row.name,
            app=parse.app_of(row.name, self.workload_names),
            ready=int(ready),
            wanted=int(wanted),
            status=row.get("STATUS"),
            restarts=int(restarts.group(1)) if restarts else 0,
            restarted_s=seconds(restarts.group(2)) if restarts and restarts.group(2) else None,
            age_s=seconds(row.get("AGE")),
            node=row.get("NODE"),
            quote=quote,
        )

    @cached_property
    def workloads(self) -> tuple[ListedWorkload, ...]:
        found = []
        for kind in _WORKLOADS:
            for row, quote in self.rows(kind):
                ready, slash, wanted = row.get("READY").partition("/")
                if slash and ready.isdigit() and wanted.isdigit():
                    created = row.get("UP-TO-DATE")
                    found.append(
                        ListedWorkload(
                            kind=kind,
                            name=row.name,
                            ready=int(ready),
                            wanted=int(wanted),
                            created=int(created) if created.isdigit() else None,
                            quote=quote,
                        )
                    )
        return tuple(found)

    def has_replicas(self, workload: str) -> bool:
        """Whether a workload is known to have all its replicas; a condensed listing only names those."""
        row = next((w for w in self.workloads if w.name == workload), None)
        return row.ready >= row.wanted > 0 if row is not None else workload in self.workload_names

    @cached_property
    def nodes(self) -> tuple[ClusterNode, ...]:
        return tuple(
            ClusterNode(name=row.name, status=tuple(row.get("STATUS").split(",")), roles=row.get("ROLES"), quote=quote)
            for row, quote in self.rows("nodes")
            if row.get("STATUS")
        )

    @cached_property
    def quotas(self) -> tuple[ListedQuota, ...]:
        found = []
        for row, quote in self.rows("resourcequota"):
            for match in _USED.finditer(f"{row.get('REQUEST')}, {row.get('LIMIT')}"):
                used, hard = amount(match.group(2)), amount(match.group(3))
                if used is not None and hard is not None:
                    found.append(ListedQuota(name=row.name, resource=match.group(1), used=used, hard=hard, quote=quote))
        return tuple(found)

    @cached_property
    def services(self) -> tuple[ListedService, ...]:
        """Services whose row was shown; `names("services")` has all."""
        return tuple(
            ListedService(
                name=row.name,
                ports=tuple(p.strip() for p in row.get("PORT(S)").split(",") if p.strip()),
                selector=labels(row.get("SELECTOR")),
                quote=quote,
            )
            for row, quote in self.rows("services")
        ) + tuple(self._named_services())

    def _named_services(self) -> Iterator[ListedService]:
        """Services that a condensed listing only names: `web 80/TCP`."""
        for reading in self.of(What.LIST, "services"):
            for word in left_out(reading.text):
                name, _, ports = word.partition(" ")
                quote = Quote(line=word, source=reading.source)
                yield ListedService(name=name, ports=tuple(ports.split("+")) if ports else (), selector={}, quote=quote)

    @cached_property
    def without_endpoints(self) -> Mapping[str, Quote]:
        """Services that no ready pod stands behind."""
        return {
            row.name: quote
            for row, quote in self.rows("endpoints")
            if "ENDPOINTS" in row.cells
            and (row.get("ENDPOINTS") in ("", "<none>") or not re.search(r":\d", row.get("ENDPOINTS")))
        }

    @cached_property
    def details(self) -> tuple[PodDetail, ...]:
        found = [parse.pod_detail(r, self.workload_names) for r in self.of(What.DESCRIBE, "pods")]
        return tuple(d for d in found if d is not None)

    def template(self, workload: str) -> TreeNode | None:
        """The pod template of a described workload."""
        for kind in _WORKLOADS:
            for name, tree, _ in self.described(kind):
                if name == workload:
                    return tree.child("Pod Template")
        return None

    def node_of(self, app: str) -> str:
        """The node that most pods of an app run on, empty where unknown."""
        found = [p.node for p in self.pods if p.app == app and p.node]
        found += [
            word.split(" ")[1] for r in self.of(What.LIST, "pods") for word in left_out(r.text) if self._on(word, app)
        ]
        return max(found, key=found.count, default="")

    def _on(self, word: str, app: str) -> bool:
        return " " in word and parse.app_of(word.split(" ", maxsplit=1)[0], self.workload_names) == app

    def service(self, name: str) -> ListedService | None:
        return next((s for s in self.services if s.name == name), None)

    def described(self, kind: str) -> list[tuple[str, TreeNode, str]]:
        """Name, description and source of each described object of a kind."""
        return [(r.read.name, parse_tree(r.text), r.source) for r in self.of(What.DESCRIBE, kind)]

    def manifests(self, app: str) -> list[tuple[TreeNode, str]]:
        """The documents of an app's configuration, each with its source."""
        found = []
        for reading in self.of(What.MANIFEST):
            if reading.read.name == app:
                pieces = re.split(r"(?m)^---\s*$", reading.text)
                found += [(parse_tree(piece), reading.source) for piece in pieces if piece.strip()]
        return found

    @cached_property
    def events(self) -> tuple[ListedEvent, ...]:
        """Events of all descriptions, and those that were listed."""
        found = [
            event
            for reading in self.of(What.DESCRIBE)
            for event in parse.events_of(parse_tree(reading.text), reading.read.name, reading.source)
        ]
        for reading in self.of(What.LIST, "events"):
            listed = (parse.listed_event(row, reading.source) for row in rows(reading.text))
            found += [event for event in listed if event is not None]
        return tuple(found)

    @cached_property
    def is_well(self) -> bool:
        """Whether everything that was listed is as it should be, and nothing alarms."""
        looked = [r for r in self.of(What.LIST) if r.read.kind in ("pods", "deployments")]
        was_read = {r.read.kind for r in looked} == {"pods", "deployments"} and not any(r.failed for r in looked)
        known = bool(self.workload_names) and was_read
        short = any(w.ready < w.wanted for w in self.workloads)
        sick = any(p.is_sick for p in self.pods) or any(not n.is_ready for n in self.nodes)
        return known and not short and not sick and not self.anomalies and not self.failed_requests

    def lines(self, pattern: re.Pattern[str]) -> tuple[Quote, ...]:
        """Lines of logs and events that match, each once."""
        found = [e.quote for e in self.events if pattern.search(e.message)]
        found += [q for lines in self.logs.values() for q in lines if pattern.search(q.line)]
        return tuple({q.line: q for q in found}.values())

    @cached_property
    def logs(self) -> Mapping[str, tuple[Quote, ...]]:
        """Log lines by app, from the logs and from the grouped errors."""
        found: dict[str, list[Quote]] = {}
        for reading in (*self.of(What.LOGS), *self.of(What.ERRORS)):
            lines = [Quote(line=line.strip(), source=reading.source) for line in reading.text.splitlines()]
            found.setdefault(reading.read.name, []).extend(q for q in lines if q.line and not _QUIET.match(q.line))
        return {app: tuple(lines) for app, lines in found.items()}

    def log_line(self, app: str, pattern: re.Pattern[str]) -> Quote | None:
        """The last line of an app that matches, cut around the match."""
        for quote in reversed(self.logs.get(app, ())):
            if match := pattern.search(quote.line):
                return quote.around(match.group())
        return None

    @cached_property
    def reach(self) -> tuple[Reach, ...]:
        found = [parse.reach(r) for r in self.of(What.CONNECT)]
        return tuple(r for r in found if r is not None)

    @cached_property
    def _alerts(self) -> tuple[tuple[str, str], ...]:
        return tuple((line, r.source) for r in self.of(What.ALERTS) for line in parse.alert_lines(r.text))

    @cached_property
    def anomalies(self) -> tuple[AlertLine, ...]:
        found = [parse.anomaly(line, source) for line, source in self._alerts]
        return tuple(a for a in found if a is not None)

    @cached_property
    def failed_requests(self) -> tuple[FailedRequest, ...]:
        found = [parse.failed_request(line, source) for line, source in self._alerts]
        return tuple(f for f in found if f is not None)

    @cached_property
    def calls(self) -> Mapping[str, frozenset[str]]:
        """Caller to callees, directly, as far as dependencies were read."""
        found: dict[str, set[str]] = {}
        for reading in self.of(What.DEPENDENCIES):
            _, _, below = reading.text.partition("[Downstream")
            path: list[tuple[int, str]] = [(-1, reading.read.name)]
            for line in below.splitlines()[2:]:
                match = re.match(r"([\s│├└─]+)([A-Za-z0-9][\w.-]*)", line)
                if match:
                    depth = len(match.group(1))
                    while path[-1][0] >= depth:
                        path.pop()
                    found.setdefault(path[-1][1], set()).add(match.group(2))
                    path.append((depth, match.group(2)))
        return {caller: frozenset(callees) for caller, callees in found.items()}

    def component(self, node: str, component: str) -> tuple[bool, Quote] | None:
        """Whether a system component of a node is active, with the line that says so; None where unknown."""
        read = Read(what=What.COMPONENT, name=node, detail=component)
        reading = self._latest.get(read)
        if reading is None:
            return None
        for line in reading.text.splitlines():
            if line.strip().startswith("Active:"):
                return "(running)" in line, Quote(line=line.strip(), source=reading.source)
        return None


def labels(text: str) -> dict[str, str]:
    """`app=web,tier=front` as a mapping; empty for `<none>`."""
    pairs = [pair.partition("=") for pair in text.split(",") if "=" in pair]
    return {key.strip(): value.strip() for key, _, value in pairs}
