"""From the text of one read to objects. Nothing here raises on odd text; what is not understood is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agents.evidence.kubernetes.objects import (
    AlertLine,
    FailedRequest,
    ListedContainer,
    ListedEvent,
    PodDetail,
    Probe,
    Reach,
)
from agents.evidence.kubernetes.quantities import amount, seconds
from agents.evidence.kubernetes.tables import TableRow
from agents.evidence.kubernetes.trees import TreeNode, parse_tree
from agents.evidence.kubernetes.types import ClusterReading, Quote

HASH: Final = re.compile(r"-(?:[a-f0-9]{6,10}|[bcdfghjklmnpqrstvwxz2456789]{6,10})-[bcdfghjklmnpqrstvwxz0-9]{5}$")
ORDINAL: Final = re.compile(r"-(?:\d+|[bcdfghjklmnpqrstvwxz2456789]{5})$")
_REPEATED: Final = re.compile(r"(\S+)(?: \(x(\d+) over ([^)]+)\))?$")
_COLUMNS: Final = re.compile(r"\s{2,}")
_NUMBER: Final = re.compile(r"(delay|timeout|period)=([\d.]+)s|#failure=(\d+)")
_PROBE_PORT: Final = re.compile(r"(?:https?://[^:/\s]*|<pod>|tcp-socket )?:(\w[\w-]*)")
_REWRITTEN: Final = re.compile(r"/app-health/([^/\s]+)/(livez|readyz|startupz)")
_FROM_NODE: Final = re.compile(r"deployed on ([\w.-]+):")
_CHANGE: Final = re.compile(r"Normal=\s*(-?[\d.]+)\s*([a-zA-Z%/]*)\s*-> Cur(?:rent)?=\s*(-?[\d.]+)")
_VALUE: Final = re.compile(r"Val(?:ue)?[:=]\s*(-?[\d.]+)")
_MOST_ALERTS: Final = 500


def app_of(pod: str, workloads: tuple[str, ...]) -> str:
    """The workload that a pod's name begins with (the longest), else the name without its generated endings."""
    fitting = [w for w in workloads if pod.startswith(f"{w}-")]
    if fitting:
        return max(fitting, key=len)
    short = HASH.sub("", pod)
    return short if short != pod else ORDINAL.sub("", pod)


def events_of(tree: TreeNode, about: str, source: str) -> tuple[ListedEvent, ...]:
    """The rows of a description's Events."""
    section = tree.child("Events")
    found = [] if section is None else [_event(node.line, about, source) for node in section.children]
    return tuple(e for e in found if e is not None)


def _event(line: str, about: str, source: str) -> ListedEvent | None:
    parts = _COLUMNS.split(line, maxsplit=4)
    if len(parts) < 5 or parts[0] not in ("Normal", "Warning"):
        return None
    kind, reason, age, _, message = parts
    seen = _REPEATED.match(age)
    last = seconds(seen.group(1)) if seen else None
    if seen is None or last is None:
        return None
    return ListedEvent(
        kind=kind,
        reason=reason,
        message=message,
        about=about,
        last_s=last,
        span_s=(seconds(seen.group(3)) if seen.group(3) else None) or last,
        count=int(seen.group(2) or 1),
        quote=Quote(line=line, source=source),
    )


def listed_event(row: TableRow, source: str) -> ListedEvent | None:
    """A row of the event listing. `OBJECT` is `kind/name`; a count may stand in the message's place or not at all."""
    last = seconds(row.get("LAST SEEN").split(" ")[0])
    if last is None or not row.get("MESSAGE"):
        return None
    times = _REPEATED.match(row.get("LAST SEEN"))
    return ListedEvent(
        kind=row.get("TYPE"),
        reason=row.get("REASON"),
        message=row.get("MESSAGE"),
        about=row.get("OBJECT").partition("/")[2],
        last_s=last,
        span_s=(seconds(times.group(3)) if times and times.group(3) else None) or last,
        count=int(times.group(2)) if times and times.group(2) else 1,
        quote=Quote(line=row.line, source=source),
    )


def pod_detail(reading: ClusterReading, workloads: tuple[str, ...]) -> PodDetail | None:
    tree = parse_tree(reading.text)
    name = tree.text("Name") or reading.read.name
    if not name or tree.child("Containers") is None:
        return None
    selectors = tree.child("Node-Selectors")
    lines = [] if selectors is None else [selectors.line, *(c.line for c in selectors.children)]
    originals = _rewritten_probes(tree)
    containers = [
        _container(node, originals, reading.source)
        for section in tree.children
        if section.key in ("Containers", "Init Containers")
        for node in section.children
    ]
    return PodDetail(
        name=name,
        app=app_of(name, workloads),
        node=tree.text("Node").partition("/")[0],
        selectors=tuple(Quote(line=text, source=reading.source) for text in lines if "<none>" not in text),
        containers=tuple(containers),
        events=events_of(tree, name, reading.source),
        claims=tuple(n.value for n in tree.walk() if n.key == "ClaimName"),
    )


def _container(node: TreeNode, originals: Mapping[str, str], source: str) -> ListedContainer:
    lines = tuple(Quote(line=n.line, source=source) for n in node.walk())
    state = node.child("State")
    ended = state if state is not None and state.value == "Terminated" else None
    last = node.child("Last State") or ended
    limits = node.child("Limits")
    code = last.text("Exit Code") if last else ""
    restarts = node.text("Restart Count")
    return ListedContainer(
        name=node.key,
        image=node.text("Image"),
        ports=tuple(p.partition("/")[0].strip() for p in (node.text("Ports") or node.text("Port")).split(",") if p),
        waiting=state.text("Reason") if state is not None else "",
        last_reason=last.text("Reason") if last else "",
        exit_code=int(code) if code.isdigit() else None,
        ready=node.text("Ready") == "True",
        restarts=int(restarts) if restarts.isdigit() else 0,
        liveness=_probe(node.child("Liveness"), node.key, originals, source),
        readiness=_probe(node.child("Readiness"), node.key, originals, source),
        memory_limit=amount(limits.text("memory")) if limits else None,
        lines=lines,
    )


def _rewritten_probes(tree: TreeNode) -> dict[str, str]:
    """A mesh moves probes to its sidecar and keeps the original as JSON in the sidecar's environment."""
    line = next((n.line for n in tree.walk() if n.key == "ISTIO_KUBE_APP_PROBERS"), "")
    try:
        given = json.loads(line.partition(":")[2].strip()) if line else {}
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for path, probe in given.items() if isinstance(given, dict) else ():
        if match := _REWRITTEN.search(str(path)):
            found[f"{match.group(1)} {match.group(2)}"] = _original(probe if isinstance(probe, dict) else {})
    return found


def _original(probe: Mapping[str, Any]) -> str:
    for key, words in (("httpGet", "http-get http://:{}"), ("tcpSocket", "tcp-socket :{}"), ("grpc", "grpc <pod>:{}")):
        if isinstance(target := probe.get(key), dict):
            return words.format(target.get("port", ""))
    return ""


def _probe(node: TreeNode | None, container: str, originals: Mapping[str, str], source: str) -> Probe | None:
    if node is None or not node.value:
        return None
    text = node.value
    if match := _REWRITTEN.search(text):
        text = originals.get(f"{match.group(1) or container} {match.group(2)}", "") + " " + text.partition(" delay=")[2]
    words = {"http-get": "http", "grpc": "grpc", "tcp-socket": "tcp", "exec": "exec"}
    port = _PROBE_PORT.search(text)
    numbers = {m.group(1) or "failure": m.group(2) or m.group(3) for m in _NUMBER.finditer(node.value)}
    return Probe(
        protocol=words.get(text.split(" ")[0], ""),
        port=port.group(1) if port else "",
        delay_s=float(numbers.get("delay") or 0),
        timeout_s=float(numbers.get("timeout") or 1),
        period_s=float(numbers.get("period") or 10),
        failures=int(numbers.get("failure") or 3),
        quote=Quote(line=node.line, source=source),
    )


def reach(reading: ClusterReading) -> Reach | None:
    """Whether a port answered; a report may tell it per node."""
    failed: list[str] = []
    opened: list[str] = []
    place = ""
    quote = ""
    for line in reading.text.splitlines():
        if match := _FROM_NODE.search(line):
            place = match.group(1)
        word = line.lower()
        if "connection failed" in word or "connection refused" in word:
            failed.append(place)
            quote = quote if failed[1:] else line.strip()
        elif "connection succeeded" in word:
            opened.append(place)
            quote = quote or line.strip()
    if not failed and not opened:
        return None
    if failed and opened and (bad := next((n for n in failed if n), "")):
        quote = next((line.strip() for line in reading.text.splitlines() if f"on {bad}" in line), quote)
    return Reach(
        service=reading.read.name,
        port=reading.read.detail,
        failed=tuple(failed),
        open=tuple(opened),
        quote=Quote(line=quote, source=reading.source),
    )


def alert_lines(text: str) -> list[str]:
    """Alerts as one line each, from JSON or from such lines: `Service name: what` and `Request service: what`."""
    try:
        given = json.loads(text)
    except ValueError:
        return [
            line.strip() for line in text.splitlines() if line.startswith(("Service ", "Node ", "Pod ", "Request "))
        ]
    alerts = given.get("alerts") if isinstance(given, dict) else given
    return list(_flat(alerts if isinstance(alerts, list) else []))


def _flat(alerts: list[Any]) -> Iterator[str]:
    for alert in alerts[:_MOST_ALERTS]:
        if not isinstance(alert, dict):
            continue
        if alert.get("url"):
            yield (
                f"Request {alert.get('entry_service', '')}: {alert.get('request_method', '')} {alert['url']} "
                f"x{alert.get('occurrences', 1)} {alert.get('raw_error', '')}"
            )
        evidence = alert.get("evidence")
        for piece in evidence if isinstance(evidence, list) else []:
            about = alert.get("name") or alert.get("entity_name") or ""
            yield f"{alert.get('type') or alert.get('entity_type') or 'Service'} {about}: {piece}"


def anomaly(line: str, source: str) -> AlertLine | None:
    kind, _, rest = line.partition(" ")
    about, _, what = rest.partition(": ")
    if kind == "Request" or not what:
        return None
    # A category may hold several series: the one that grew most speaks for it.
    changes = [
        (float(m.group(3)), float(m.group(3)) / max(float(m.group(1)), 1e-3 if m.group(2) == "ms" else 1e-2))
        for m in _CHANGE.finditer(what)
    ]
    value = _VALUE.search(what)
    current, ratio = max(changes, key=lambda c: c[1], default=(None, None))
    return AlertLine(
        kind=kind,
        about=about,
        category=what.split("|")[0].strip(),
        ratio=ratio,
        current=current if current is not None else float(value.group(1)) if value else None,
        quote=Quote(line=line, source=source),
    )


def failed_request(line: str, source: str) -> FailedRequest | None:
    found = re.match(r"Request ([^:]*): \S* ?(\S+) x(\d+) (.*)", line)
    if found is None:
        return None
    return FailedRequest(
        service=found.group(1),
        url=found.group(2),
        count=int(found.group(3)),
        error=found.group(4),
        quote=Quote(line=line, source=source),
    )
