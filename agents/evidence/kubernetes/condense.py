"""An output without what cannot matter: whole lines are left out, none is altered, so that every quote still stands.

Listings keep their heading, what is unusual, and one last line that counts (and where needed names) the rest.
Descriptions lose the sections that no rule and no reader needs; logs keep distinct lines that tell of trouble.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from agents.evidence.kubernetes.parse import HASH, alert_lines
from agents.evidence.kubernetes.routes import routes
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.tables import headings, rows
from agents.evidence.kubernetes.types import ClusterReading, Read, What

_DROPPED: Final = frozenset(
    (
        "Container ID", "Image ID", "Host Port", "Host Ports", "Annotations", "IPs", "IP", "Priority", "Start Time",
        "QoS Class", "Tolerations", "Conditions", "Mounts", "Environment",
        "Args", "Command", "Started", "Finished",
        "Finalizers", "CreationTimestamp", "Session Affinity", "Internal Traffic Policy", "IP Families",
        "IP Family Policy", "StrategyType",
        "MinReadySeconds", "RollingUpdateStrategy", "TokenExpirationSeconds", "ConfigMapOptional",
        "ConfigMapName", "DownwardAPI", "Status", "Type", "Optional", "Medium", "SizeLimit", "Service Account",
        "Controlled By", "Replicas", "OldReplicaSets", "NewReplicaSet", "Pods Status", "External Traffic Policy",
    )
)  # fmt: skip
_DROPPED_OF_MANIFESTS: Final = frozenset(
    ("securityContext", "annotations", "labels", "terminationGracePeriodSeconds", "status", "managedFields", "uid",
     "resourceVersion", "creationTimestamp", "hostPath", "persistentVolumeReclaimPolicy", "apiVersion", "strategy",
     "imagePullPolicy", "revisionHistoryLimit", "template.metadata", "volumeMounts")
)  # fmt: skip
_KEPT_INSIDE: Final = ("ISTIO_KUBE_APP_PROBERS", "ClaimName")
_TROUBLE: Final = re.compile(
    r"rolled back|rollback|recovered|restored|completed|back to|enotfound|resolve|error|exception|denied|refused|fail"
    r"|fatal|panic|caused by|timed? ?out|in use|too many|read-only|unknown ?host|no such|not found|unavailable|killed"
    r"|cannot|can't|unable",
    re.IGNORECASE,
)
_TELLING: Final = re.compile(
    r"rolled back|rollback|recovered|restored|rollout completed|fatal|denied|in use|too many|read-only|unknownhost"
    r"|no such host|link failure|out of memory|refused|not found|deadline",
    re.IGNORECASE,
)
_STACK: Final = re.compile(r"^\s*(?:\S+\s+)?at [\w.$]+\(")
_ADDRESSES: Final = re.compile(r"value:|dnsPolicy|nameservers|kind:|^\s{2}name:|HOST|PORT|ADDR|URL", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"[\d.:]+|0x[0-9a-f]+|\b[0-9a-f]{8,}\b")
_HIDDEN: Final = re.compile(r"password|passwd|token|credential|secretkey|api_?key", re.IGNORECASE)
_MOST_LOG_LINES: Final = 5
_MOST_EVENTS: Final = 12
_LONGEST_LINE: Final = 400


def condense(read: Read, text: str) -> str:
    """What a tool shows of an output. Raises nothing; an output that is not understood is shown as it is."""
    short = _BY_WHAT.get(read.what, _as_it_is)(read, text)
    return short.strip() or text.strip()[:_LONGEST_LINE]


def _as_it_is(_read: Read, text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _listing(read: Read, text: str) -> str:
    found = rows(text)
    if read.kind == "events":
        return _events(text)
    unusual = _UNUSUAL.get(read.kind)
    if not found or unusual is None or read.detail == "labels":
        return _as_it_is(read, text)
    kept = unusual(Snapshot(readings=(ClusterReading(read=read, text=text),)))
    lines = text.splitlines()
    head = next(line for line in lines if headings(line))
    by_line = {row.line: row for row in found}
    shown = [line for line in lines if line.strip() in by_line and by_line[line.strip()].name in kept]
    rest = [row for row in found if row.name not in kept]
    named = _NAMED.get((read.kind, read.detail)) or _NAMED.get((read.kind, ""))
    names = ", ".join(" ".join(row.get(h).replace(",", "+") for h in named) for row in rest) if named else ""
    more = [f"({len(rest)} more, nothing unusual{f': {names}' if names else ''})"] if rest else []
    return "\n".join([*([head, *shown] if shown else []), *more])


def _events(text: str) -> str:
    """The latest warning of each kind, with its heading; events come oldest first."""
    latest: dict[tuple[str, str], str] = {}
    head = next((line for line in text.splitlines() if headings(line)), "")
    for row in rows(text):
        if row.get("TYPE") == "Warning":
            latest[row.get("REASON"), HASH.sub("", row.get("OBJECT"))] = row.line
    lines = list(latest.values())[-_MOST_EVENTS:]
    return "\n".join([head, *lines]) if lines else "no warnings"


def _sick_pods(seen: Snapshot) -> set[str]:
    return {p.name for p in seen.pods if p.is_sick}


def _short_workloads(seen: Snapshot) -> set[str]:
    return {w.name for w in seen.workloads if w.ready < w.wanted or not w.wanted}


def _short_sets(seen: Snapshot) -> set[str]:
    return {row.name for row, _ in seen.rows("replicasets") if row.get("DESIRED") != row.get("READY")}


def _nodes(seen: Snapshot) -> set[str]:
    return {n.name for n in seen.nodes if n.is_control_plane or n.is_cordoned or not n.is_ready}


def _services(seen: Snapshot) -> set[str]:
    return {s.name for s in seen.services if any(p.endswith("/UDP") for p in s.ports)}


def _endpoints(seen: Snapshot) -> set[str]:
    return set(seen.without_endpoints)


_UNUSUAL: Final[Mapping[str, Callable[[Snapshot], set[str]]]] = {
    "pods": _sick_pods,
    "deployments": _short_workloads,
    "statefulsets": _short_workloads,
    "daemonsets": _short_workloads,
    "replicasets": _short_sets,
    "nodes": _nodes,
    "services": _services,
    "endpoints": _endpoints,
}
_NAMED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("pods", "wide"): ("NAME", "NODE"),
    ("deployments", ""): ("NAME",),
    ("statefulsets", ""): ("NAME",),
    ("nodes", ""): ("NAME",),
    ("services", ""): ("NAME", "PORT(S)"),
}


def _description(read: Read, text: str) -> str:
    dropped = _DROPPED | {"Labels"} if read.kind == "pods" else _DROPPED - {"Conditions"}
    shown = _without_sections(_without_well(text) if read.kind == "pods" else text, dropped)
    out: list[str] = []
    in_events = in_volumes = False
    for line in shown:
        if line.startswith("Events:"):
            in_events, in_volumes = True, False
        elif line and not line[0].isspace():
            in_volumes = line.startswith("Volumes:")
        if in_events and _is_routine(line):
            continue
        if in_volumes and not line.startswith("Volumes:") and "ClaimName" not in line:
            continue
        if "----" not in line and line.strip() not in ("Volumes:", "Node-Selectors:              <none>"):
            out.append(line.rstrip())
    return "\n".join(out)


def _is_routine(event: str) -> bool:
    """Whether a row of events tells of the usual course."""
    words = event.split()
    told = "liveness" in event or "FailedBinding" in words[1:2] or "Scheduled" in words[1:2]
    return words[:1] == ["Normal"] and not told


def _without_well(text: str) -> str:
    """A pod without those of its containers that are ready and never restarted, where others are not."""
    blocks: list[list[str]] = [[]]
    inside = False
    for line in text.splitlines():
        if line and not line[0].isspace():
            inside = line.startswith(("Containers:", "Init Containers:"))
            blocks.append([])
        elif inside and re.match(r"  \S", line):
            blocks.append([])
        blocks[-1].append(line)
    well = [_is_well(block) for block in blocks]
    if not any(_is_container(b) and not w for b, w in zip(blocks, well, strict=True)):
        return text
    kept = [b if not w else [x for x in b if "KUBE_APP_PROBERS" in x] for b, w in zip(blocks, well, strict=True)]
    return "\n".join(line for block in kept for line in block)


def _is_container(block: list[str]) -> bool:
    return any(line.strip().startswith("Restart Count:") for line in block)


def _is_well(block: list[str]) -> bool:
    words = {" ".join(line.split()) for line in block}
    return {"Ready: True", "Restart Count: 0"} <= words or {"Reason: Completed", "Exit Code: 0"} <= words


def _without_sections(text: str, dropped: frozenset[str]) -> list[str]:
    """The lines that stand under none of the dropped keys."""
    kept: list[str] = []
    skipping: int | None = None
    in_events = False
    for line in text.splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        in_events = in_events or line.startswith("Events:")
        if skipping is not None and depth > skipping:
            if any(word in line for word in _KEPT_INSIDE):
                kept.append(line.rstrip())
            continue
        skipping = None
        if not in_events and line.strip().partition(":")[0].removeprefix("- ") in dropped:
            skipping = depth
            continue
        kept.append(line.rstrip())
    return kept


def _manifest(read: Read, text: str) -> str:
    lines = [line for line in _without_sections(text, _DROPPED_OF_MANIFESTS) if not _HIDDEN.search(line)]
    if read.detail == "addresses":
        lines = [line for line in lines if _ADDRESSES.search(line)]
    elif read.detail == "routes":
        return _odd_routes(text)
    return "\n".join(lines)


def _odd_routes(text: str) -> str:
    """The routes whose target is not the service that their path names."""
    known = routes(text)
    odd = [
        route for route in known if route.port or _letters(route.path.rpartition("/")[2]) not in _letters(route.target)
    ]
    lines = [line for route in odd for line in dict.fromkeys((route.head, *route.lines))]
    return "\n".join([*lines, f"({len(known) - len(odd)} more, nothing unusual)"])


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _log(_read: Read, text: str) -> str:
    """Distinct lines that tell of trouble, the most telling ones first kept, in their order."""
    pieces = [piece.strip().strip('",') for line in text.splitlines() for piece in re.split(r"\\n", line)]
    lines: dict[str, str] = {}
    for piece in pieces:
        if _TROUBLE.search(piece) and not _STACK.match(piece):
            lines[_VARIABLE.sub("#", piece)[:160]] = _clipped(piece)
    telling = [line for line in lines.values() if _TELLING.search(line)]
    kept = set((telling + [line for line in lines.values() if line not in telling])[:_MOST_LOG_LINES])
    shown = [line for line in lines.values() if line in kept]
    return "\n".join(shown) if shown else f"no errors in {len(pieces)} lines" if len(pieces) > 1 else text


def _clipped(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    match = _TELLING.search(line) or _TROUBLE.search(line)
    at = match.start() if match else 0
    start = max(0, min(at - _LONGEST_LINE // 2, len(line) - _LONGEST_LINE))
    return line[start : start + _LONGEST_LINE]


def _alerts(_read: Read, text: str) -> str:
    return "\n".join(alert_lines(text)) or "no active alerts"


def _connection(read: Read, text: str) -> str:
    seen = Snapshot(readings=(ClusterReading(read=read, text=text),)).reach
    if seen and not seen[0].failed:
        return seen[0].quote.line + "\nConnection Succeeded"
    return _as_it_is(read, text)


def _component(_read: Read, text: str) -> str:
    return "\n".join(
        line.strip() for line in text.splitlines() if line.strip().startswith(("Service:", "Node:", "Active:"))
    )


_BY_WHAT: Final[Mapping[What, Callable[[Read, str], str]]] = {
    What.LIST: _listing,
    What.DESCRIBE: _description,
    What.MANIFEST: _manifest,
    What.LOGS: _log,
    What.ERRORS: _log,
    What.ALERTS: _alerts,
    What.CONNECT: _connection,
    What.COMPONENT: _component,
}
