"""Evidence files of a managed cluster or database as the sources of a real investigation: for `replay.py`.

The files are JSON as an alerting product stores it. A cluster's are told in the form that the cluster's own tools
print; a database's as series and lines. Ages are told from the latest time in any file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agents.evidence.database.types import DatabaseSeries
from agents.evidence.kubernetes.types import Read, What

Json = Any  # a document of the data
_TIME: Final = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class EvidenceFiles:
    """The answers of the tools, parsed. `texts` maps a tool to its whole output."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        times = sorted(_TIME.findall(" ".join(texts.values())))
        self._now = _moment(times[-1]) if times else None

    def rows(self, tool: str, key: str) -> list[dict[str, Json]]:
        try:
            given = json.loads(self._texts.get(tool, ""))
        except ValueError:
            return []
        found = given.get(key) if isinstance(given, dict) else given
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []

    def age(self, time: str) -> str:
        """Seconds since then, as a cluster tells an age; `<unknown>` where it cannot be told."""
        if self._now is None or not _TIME.fullmatch(time or ""):
            return "<unknown>"
        return f"{max(0, int((self._now - _moment(time)).total_seconds()))}s"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


class ClusterFiles:
    """A cluster's evidence files in the words of the cluster's own tools."""

    def __init__(self, files: EvidenceFiles, namespace: str) -> None:
        self._files = files
        self._namespace = namespace

    def answer(self, read: Read) -> tuple[str, str]:
        """The tool that was asked, and its answer."""
        if read.what is What.LIST:
            return self._list(read.kind)
        if read.what is What.DESCRIBE:
            described = (
                self._pod(read.name) if read.kind == "pods" else f"Name: {read.name}\nNamespace: {self._namespace}\n"
            )
            return "get_eks_events", described + self._events_of(read.name)
        if read.what in (What.LOGS, What.ERRORS):
            return "query_datadog_logs", self._logs(read.name)
        if read.what is What.ALERTS:
            firing = [m for m in self._files.rows("query_datadog_monitors", "monitors") if _fires(m)]
            return "query_datadog_monitors", "\n".join(f"Service monitor: {m.get('name')} is firing" for m in firing)
        return "", ""

    def _list(self, kind: str) -> tuple[str, str]:
        if kind == "pods":
            pods = [self._pod_row(p) for p in self._files.rows("list_eks_pods", "pods")]
            return "list_eks_pods", _table(("NAME", "READY", "STATUS", "RESTARTS", "AGE", "NODE"), pods)
        if kind == "deployments":
            found = self._files.rows("list_eks_deployments", "deployments")
            heads = ("NAME", "READY", "UP-TO-DATE", "AVAILABLE")
            sized = [(d["name"], f"{d['ready']}/{d['desired']}", d["desired"], d["available"]) for d in found]
            return "list_eks_deployments", _table(heads, sized)
        if kind == "nodes":
            nodes = self._files.rows("get_eks_node_health", "nodes")
            rows = [(n["name"], "Ready" if n.get("ready") == "True" else "NotReady", "node") for n in nodes]
            return "get_eks_node_health", _table(("NAME", "STATUS", "ROLES"), rows)
        if kind == "events":
            columns = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
            events = self._files.rows("get_eks_events", "warning_events")
            listed = [
                (self._seen(e), e["type"], e["reason"], e.get("involved_object", ""), e["message"]) for e in events
            ]
            return "get_eks_events", _table(columns, listed)
        return "", ""

    def _pod_row(self, pod: dict[str, Json]) -> Sequence[object]:
        containers = pod.get("containers") or []
        ready = sum(bool(c.get("ready")) for c in containers)
        waiting = next((s["reason"] for c in containers if (s := c.get("state") or {}).get("reason")), "")
        status = "Terminating" if pod.get("deletion_timestamp") else waiting or pod.get("phase") or ""
        restarts = sum(int(c.get("restart_count") or 0) for c in containers)
        since = next((s["started_at"] for c in containers if (s := c.get("state") or {}).get("started_at")), "")
        told = f"{restarts} ({self._files.age(since)} ago)" if restarts and since else str(restarts)
        age = self._files.age(str(pod.get("start_time") or ""))
        return pod["name"], f"{ready}/{len(containers)}", status, told, age, pod.get("node_name") or ""

    def _pod(self, name: str) -> str:
        pod = next((p for p in self._files.rows("list_eks_pods", "pods") if p["name"] == name), None)
        if pod is None:
            return ""
        lines = [f"Name: {name}", f"Namespace: {pod.get('namespace')}", f"Node: {pod.get('node_name')}", "Containers:"]
        for c in pod.get("containers") or []:
            state, last = c.get("state") or {}, c.get("last_state") or {}
            lines += [f"  {c['name']}:", "    State: Waiting" if state.get("waiting") else "    State: Running"]
            lines += [f"      Reason: {state['reason']}"] if state.get("reason") else []
            lines += ["    Last State: Terminated"] if last else []
            lines += [f"      Reason: {last['reason']}"] if last.get("reason") else []
            lines += [f"      Exit Code: {last['exit_code']}"] if last.get("exit_code") is not None else []
            lines += [f"    Ready: {bool(c.get('ready'))}", f"    Restart Count: {c.get('restart_count', 0)}"]
        return "\n".join(lines) + "\n"

    def _events_of(self, name: str) -> str:
        """Events of an object and of what it made, oldest first."""
        lines = []
        for e in self._files.rows("get_eks_events", "warning_events"):
            about = str(e.get("involved_object", "")).partition("/")[2]
            if about == name or about.startswith(f"{name}-"):
                lines.append(f"  {e['type']}  {e['reason']}  {self._seen(e)}  cluster  {e['message']}")
        return "\n".join(["Events:", "  Type  Reason  Age  From  Message", *lines])

    def _seen(self, event: dict[str, Json]) -> str:
        last, first = (self._files.age(str(event.get(key) or "")) for key in ("last_time", "first_time"))
        count = int(event.get("count") or 1)
        return f"{last} (x{count} over {first})" if count > 1 else last

    def _logs(self, name: str) -> str:
        lines = []
        for row in self._files.rows("query_datadog_logs", "logs"):
            about = f"{row.get('service')} {row.get('host')} {' '.join(row.get('tags') or [])} {row.get('message')}"
            if name in about:
                lines.append(f"{row.get('timestamp')} {row.get('message')}")
        return "\n".join(lines)


class DatabaseFiles:
    """A database's evidence files as the digest wants them."""

    def __init__(self, files: EvidenceFiles, instance: str, made: list[tuple[str, dict[str, Json]]]) -> None:
        self._files = files
        self._made = made
        self.instance = instance

    async def read_metrics(self) -> list[DatabaseSeries]:
        self._made.append(("query_grafana_metrics", {}))
        found = []
        for row in self._files.rows("query_grafana_metrics", ""):
            points = tuple((str(t)[11:16], float(v)) for t, v in row.get("values") or [] if v is not None)
            of = (row.get("dimensions") or {}).get("DBInstanceIdentifier") or self.instance
            found.append(DatabaseSeries(name=str(row["metric"]), unit=str(row.get("unit")), instance=of, points=points))
        return found

    async def read_events(self) -> list[str]:
        self._made.append(("query_grafana_logs", {}))
        return [f"{str(row['time'])[11:19]} {row['line']}" for row in self._files.rows("query_grafana_logs", "")]


def _fires(monitor: dict[str, Json]) -> bool:
    return str(monitor.get("overall_state")).lower() in ("alert", "warn", "no data")


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under their headings, each column as wide as its longest cell."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(columns))]
    return "\n".join("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
