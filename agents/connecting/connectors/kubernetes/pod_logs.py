"""Lines of pods as the evidence engine takes them: of a window, under the names of declared services.

The server stamps each line (`timestamps=true`); what a program writes of itself beside that, such as a level, is read
by the same code that reads files. A log is kept as long as its pod, and of its earlier runs only the last one.
"""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Final

from agents.connecting.clean_lines import READ, clean_lines
from agents.connecting.connector import ConnectorContext, LogsRead
from agents.connecting.connectors.kubernetes import answers
from agents.connecting.connectors.kubernetes.answers import Pod
from agents.connecting.connectors.kubernetes.client import KubernetesClient, NoSuchLog
from agents.connecting.connectors.kubernetes.kinds import KINDS
from agents.connecting.connectors.kubernetes.reading import ClusterReader, runs_of
from agents.errors import AgentError, Unavailable
from agents.evidence.logs.lines import parse_line
from agents.evidence.types import LogLine, Window
from store.secrets.redaction import Redactor

_MOST_PODS: Final = 30
_MOST_LINES: Final = 5_000
_MOST_BYTES: Final = 2_000_000
_AT_ONCE: Final = 4


class PodLogs:
    """Of one connection."""

    def __init__(self, client: KubernetesClient, cluster: ClusterReader, context: ConnectorContext) -> None:
        self._client, self._cluster, self._context = client, cluster, context

    async def read(self, window: Window, services: list[str]) -> LogsRead:
        """Raises Unavailable when the pods of no namespace can be listed."""
        gaps: list[str] = []
        chosen = await self._pods(services, gaps)
        if len(chosen) > _MOST_PODS:
            gaps.append(f"Kubernetes: logs of {_MOST_PODS} of {len(chosen)} pods were read")
        turns = asyncio.Semaphore(_AT_ONCE)
        redactor = await self._context.portable_redactor()

        async def of(namespace: str, service: str, pod: Pod, container: str, *, previous: bool) -> list[LogLine]:
            async with turns:
                try:
                    text = await self._text(namespace, pod.name, container, window, previous=previous)
                except NoSuchLog:
                    return []  # it has not started, or no earlier run is kept: nothing was logged that could be read
                except AgentError as exc:
                    gaps.append(f"Kubernetes: {exc}")
                    return []
            if text.count("\n") >= _MOST_LINES or len(text) >= _MOST_BYTES:
                gaps.append(f"Kubernetes: only the newest {_MOST_LINES} lines of pod {pod.name} were read")
            return await self._context.compute(read_stamped, text, service, window, redactor)

        reads = await asyncio.gather(
            *(
                of(namespace, service, pod, container, previous=previous)
                for namespace, service, pod in chosen[:_MOST_PODS]
                for container, previous in runs_of(pod)
            )
        )
        lines = sorted((line for one in reads for line in one), key=lambda line: line.time)
        return LogsRead(lines=lines, gaps=tuple(dict.fromkeys(gaps)))

    async def _pods(self, services: list[str], gaps: list[str]) -> list[tuple[str, str, Pod]]:
        chosen: list[tuple[str, str, Pod]] = []
        failures: list[AgentError] = []
        for namespace in self._cluster.namespaces:
            try:
                items, more = await self._cluster.listed(KINDS["pods"], namespace)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"Kubernetes: {exc}")
                continue
            if more:
                gaps.append(f"Kubernetes: not all pods of namespace {namespace} were looked at")
            pods = ((self._cluster.service_of_pod(pod), pod) for pod in answers.several(Pod, items, "pods"))
            chosen += [(namespace, service, pod) for service, pod in pods if service in services]
        if failures and len(failures) == len(self._cluster.namespaces):
            raise Unavailable(str(failures[0])) from failures[0]
        return chosen

    async def _text(self, namespace: str, pod: str, container: str, window: Window, *, previous: bool) -> str:
        params = {
            "container": container,
            "timestamps": "true",
            "sinceSeconds": str(max(1, math.ceil((self._context.now() - window.start).total_seconds()))),
            "tailLines": str(_MOST_LINES),
            "limitBytes": str(_MOST_BYTES),
            **({"previous": "true"} if previous else {}),
        }
        path = f"{KINDS['pods'].path(namespace, pod)}/log"
        return await self._client.log(path, what=f"logs of pod {pod}", params=params)


def read_stamped(text: str, service: str, window: Window, redactor: Redactor) -> list[LogLine]:
    """Lines with the server's stamp before each. What was cut off at the end is left out."""
    found = []
    for raw in text.splitlines():
        stamp, _, said = raw.partition(" ")
        at = _moment(stamp)
        if at is None or not said:
            continue
        parsed = parse_line(said[:READ].encode(), UTC, written=window.end)
        found.append(LogLine(time=at, service=service, level=parsed.level, text=parsed.text, fields=parsed.fields))
    cleaned = clean_lines(found, redactor)
    return [line for line in cleaned if window.start <= line.time <= window.end]


def _moment(stamp: str) -> datetime | None:
    """RFC 3339 with as many as nine decimals."""
    head, dot, rest = stamp.partition(".")
    try:
        plain = f"{head}.{rest.rstrip('Z')[:6]}+00:00" if dot and rest.endswith("Z") else stamp.replace("Z", "+00:00")
        at = datetime.fromisoformat(plain)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
