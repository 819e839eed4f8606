"""Containers that start and do not live: probes, memory, ports already taken, databases that refuse them.

One failed probe while starting is normal. A probe is at fault where its failure recurs and the probe itself disagrees
with the container: its port, its protocol, or the time it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.families.startup import sickest
from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import ListedContainer, ListedEvent, PodDetail, Probe
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, Quote, Read, What

_PROTOCOL: Final = re.compile(
    r"malformed HTTP|HTTP/1\.x transport|HTTP response to HTTPS|server preface|frame too large|first record does not"
    r"|grpc health protocol|unimplemented|EOF$|error reading server|HTTP probe failed",
    re.IGNORECASE,
)
_LATE: Final = "ProgressDeadlineExceeded"  # an event of some controllers, a condition of the Deployment for all
_HASTY_S: Final = 10.0
_KILLED: Final = (137, 143)
_OOM: Final = re.compile(r"OOMKilled|OOM-killed|memory limit|out of memory|cannot allocate memory", re.IGNORECASE)
_PORT_TAKEN: Final = re.compile(r"port \d+ (?:was|is) already in use|address already in use|EADDRINUSE", re.IGNORECASE)
_DENIED: Final = re.compile(
    r"Access denied for user|password authentication failed|Authentication failed for user", re.IGNORECASE
)
_NO_LINK: Final = re.compile(r"Communications link failure|Can't connect to (?:MySQL|server)", re.IGNORECASE)
_FULL: Final = re.compile(r"Too many connections|too many clients already|remaining connection slots", re.IGNORECASE)
_READ_ONLY: Final = re.compile(r"(?:super-)?read-only option|read-only transaction|is read[- ]only", re.IGNORECASE)
_FATAL: Final = re.compile(
    r"fatal|panic|uncaught|required .* not set|not found|exception|error|could not|cannot|unable to|deprecat",
    re.IGNORECASE,
)
_HOST: Final = re.compile(r"^\s*(?:- )?\w*HOST\w*:\s*[\"']?([\w.-]+)", re.MULTILINE)
_DATABASE: Final = re.compile(r"mysql|maria|postgres|pgsql|mongo|sql|db\b|database", re.IGNORECASE)


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    for workload in seen.workloads:
        if workload.wanted == 0 and workload.kind == "deployments":
            alone = not any(other.ready < other.wanted for other in seen.workloads)
            yield fault(Label.DEPLOYMENT_ZERO_REPLICAS, workload.name, 0.9 if alone else 0.7, workload.quote)
    for detail in seen.details:
        for container in detail.containers:
            yield from _container(seen, detail, container)
        if line := seen.log_line(detail.app, _PORT_TAKEN):
            yield fault(Label.SERVICE_SIDECAR_PORT_CONFLICT, detail.app, 0.92, line)
        if line := seen.log_line(detail.app, _DENIED):
            yield fault(Label.MYSQL_INVALID_CREDENTIALS, detail.app, 0.92, line)
        elif line := seen.log_line(detail.app, _NO_LINK):
            yield fault(Label.MYSQL_INVALID_PORT, detail.app, 0.86, line, _port_line(seen, detail.app))
    yield from _database(seen)
    yield from _rollouts(seen)
    described = {d.name for d in seen.details}
    for pod in sickest(seen):
        if pod.name not in described and pod.status not in ("Pending", "Running"):
            yield fault(Label.CRASH_LOOP, pod.app, 0.4, seen.log_line(pod.app, _FATAL), pod.quote)


def reads(seen: Snapshot) -> Iterator[Read]:
    described = {d.name for d in seen.details}
    # What a probe or the kubelet explains needs no logs.
    told = {h.name for d in seen.details for c in d.containers for h in _container(seen, d, c) if h.score > 0.7}
    for pod in sickest(seen):
        if seen.has(Read(what=What.DESCRIBE, kind="pods", name=pod.name)) and pod.name not in described:
            yield Read(what=What.LOGS, name=pod.app)
        crashed = next((d for d in seen.details if d.name == pod.name), None)
        if crashed is not None and pod.app not in told and any(_failed(c) for c in crashed.containers):
            yield Read(what=What.LOGS, name=pod.app)
            if seen.has(Read(what=What.LOGS, name=pod.app)) and not _explained(seen, pod.app):
                yield Read(what=What.ERRORS, name=pod.app)
            if seen.has(Read(what=What.ERRORS, name=pod.app)):
                yield Read(what=What.DESCRIBE, kind="deployments", name=pod.app)
                yield Read(what=What.LIST, kind="services", detail="wide")
                yield Read(what=What.MANIFEST, name=pod.app, detail="addresses")
    for app in seen.logs:
        if seen.log_line(app, _NO_LINK) or seen.log_line(app, _FULL) or seen.log_line(app, _READ_ONLY):
            yield Read(what=What.MANIFEST, name=app)


def _rollouts(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    """A rollout past its deadline while replicas are still missing: an older one that was taken back is over."""
    for event in seen.events:
        app = next((w.name for w in seen.workloads if event.about == w.name and w.ready < w.wanted), None)
        if app is not None and event.reason == _LATE:
            yield fault(Label.ROLLOUT_STUCK, app, 0.9, event.quote, seen.log_line(app, _FATAL))
    for name, tree, source in seen.described("deployments"):
        conditions = tree.child("Conditions")
        late = next((node.line for node in conditions.children if _LATE in node.line), "") if conditions else ""
        if late and any(w.name == name and w.ready < w.wanted for w in seen.workloads):
            yield fault(Label.ROLLOUT_STUCK, name, 0.9, Quote(line=late, source=source), seen.log_line(name, _FATAL))


def _explained(seen: Snapshot, app: str) -> bool:
    patterns = (_PORT_TAKEN, _DENIED, _NO_LINK, _FULL, _READ_ONLY)
    return any(seen.log_line(app, pattern) for pattern in patterns)


def _failed(container: ListedContainer) -> bool:
    ended = container.exit_code not in (None, 0) or container.waiting == "CrashLoopBackOff"
    return ended or (not container.ready and not container.waiting)


def _container(seen: Snapshot, detail: PodDetail, container: ListedContainer) -> Iterator[ClusterHypothesis]:
    if oom := _out_of_memory(detail, container):
        yield fault(Label.OOM_KILLED, detail.app, 0.95, oom, container.quote("memory"))
    elif container.liveness is not None and (event := _failing(detail, container, "Liveness")):
        yield _liveness(detail, container, container.liveness, event)
    elif (
        container.readiness is not None and not container.ready and (event := _failing(detail, container, "Readiness"))
    ):
        if found := _misfit(container, container.readiness, container.liveness, event):
            labels = (Label.READINESS_PROBE_INCORRECT_PORT, Label.READINESS_PROBE_INCORRECT_PROTOCOL)
            yield fault(labels[found - 1], detail.app, 0.93, container.readiness.quote, event.quote)
        else:
            yield fault(Label.NOT_READY, detail.app, 0.4, event.quote)
    if container.waiting == "CrashLoopBackOff" or container.exit_code not in (None, 0):
        told = seen.log_line(detail.app, _FATAL)
        refused = next((e.quote for e in detail.events if e.reason == "Failed"), None)
        shown = refused.around("unable to start") if refused else told
        line = container.quote("Exit Code", "Reason", "Command")
        yield fault(Label.CRASH_LOOP, detail.app, 0.65 if shown else 0.45, shown, line)


def _out_of_memory(detail: PodDetail, container: ListedContainer) -> Quote | None:
    if container.last_reason == "OOMKilled" or container.waiting == "OOMKilled":
        return container.quote("Reason:       OOMKilled", "Reason")
    # A limit below what the process needs to be set up at all ends before it begins.
    for quote in container.lines:
        if quote.line.startswith("Message") and _OOM.search(quote.line):
            return quote.around("memory")
    event = next((e for e in detail.events if e.kind == "Warning" and _OOM.search(e.message)), None)
    if event is not None:
        return event.quote.around("memory")
    # Killed outright, and not by the kubelet for a probe.
    was_killed = container.exit_code == _KILLED[0] and container.restarts > 0 and detail.event("Killing") is None
    return container.quote("Exit Code") if was_killed and detail.event("Unhealthy", "Liveness") is None else None


def _failing(detail: PodDetail, container: ListedContainer, probe: str) -> ListedEvent | None:
    """The probe's failure, where it goes on or has killed the container."""
    event = detail.event("Unhealthy", f"{probe} probe failed", f"{probe} probe errored")
    if event is None:
        return None
    killed = container.exit_code in _KILLED and detail.event("Killing") is not None
    killing = detail.event("Killing", "failed liveness probe") is not None
    if probe == "Liveness":
        return event if killed or killing else None
    return event if event.recurs or event.count > 2 or event.last_s < 60 else None


def _liveness(detail: PodDetail, container: ListedContainer, probe: Probe, event: ListedEvent) -> ClusterHypothesis:
    found = _misfit(container, probe, container.readiness, event)
    if found == 1:
        return fault(Label.LIVENESS_PROBE_INCORRECT_PORT, detail.app, 0.94, probe.quote, event.quote)
    if found == 2:
        return fault(
            Label.LIVENESS_PROBE_INCORRECT_PROTOCOL, detail.app, 0.94, probe.quote, event.quote.around("failed")
        )
    score = 0.93 if probe.patience_s < _HASTY_S else 0.55
    return fault(Label.LIVENESS_PROBE_INCORRECT_TIMING, detail.app, score, probe.quote, event.quote)


def _misfit(container: ListedContainer, probe: Probe, other: Probe | None, event: ListedEvent) -> int:
    """1 where the probe's port is not the container's, 2 where its protocol is not spoken there, else 0."""
    known = {p for p in container.ports if p not in ("", "<none>")}
    if other is not None and other.port:
        known.add(other.port)
    own = {p for p in container.ports if p not in ("", "<none>")}
    if probe.port.isdigit() and probe.port not in (own or known):
        return 1
    differs = other is not None and other.protocol not in ("", "tcp", probe.protocol) and other.port == probe.port
    if _PROTOCOL.search(event.message) or (differs and probe.protocol in ("http", "grpc")):
        return 2
    return 0


def _port_line(seen: Snapshot, app: str) -> Quote | None:
    """The line of its configuration that gives the database's port."""
    for tree, source in seen.manifests(app):
        for node in tree.walk():
            if node.key.upper().endswith("PORT") and _DATABASE.search(node.key):
                return Quote(line=node.line, source=source)
    return None


def _database(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    """What several clients hear from one database is the database's fault."""
    for pattern, label in ((_FULL, Label.DB_CONNECTION_EXHAUSTION), (_READ_ONLY, Label.DB_READ_ONLY)):
        heard = {app: line for app in seen.logs if (line := seen.log_line(app, pattern))}
        if heard:
            name = _database_of(seen, tuple(heard))
            known = name not in heard  # else its clients' configuration is still to be read
            score = 0.8 + (0.1 if known else 0.0) + (0.05 if len(heard) > 1 or label is Label.DB_READ_ONLY else 0.0)
            yield fault(label, name, score, *list(heard.values())[:2])


def _database_of(seen: Snapshot, apps: tuple[str, ...]) -> str:
    """The workload behind the host that the clients are configured with."""
    databases = [name for name in seen.workload_names if _DATABASE.search(name)]
    for app in apps:
        if app in databases:
            return app
        for reading in seen.of(What.MANIFEST):
            if reading.read.name == app:
                for host in _HOST.findall(reading.text):
                    fitting = [d for d in databases if host.startswith(d)]
                    if fitting:
                        return max(fitting, key=len)
    return databases[0] if len(databases) == 1 else apps[0]
