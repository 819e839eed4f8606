"""Recorded tool outputs as a source of evidence: which recorded call answers which read.

How a call is matched is the data's own affair, so the loader beside the data (`replay.py`) is used. Only case folders
are read.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, cast

from agents.connecting.cluster import ClusterTools
from agents.connecting.connector import Check, Connector, ConnectorConfig, ConnectorContext, Service
from agents.connecting.database import DatabaseTools
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.evidence.kubernetes.parse import HASH
from agents.evidence.kubernetes.tables import rows
from agents.evidence.kubernetes.types import Read, What
from agents.tool import Tool, tools_of
from benchmarks.recorded_kubectl import KubectlCalls
from benchmarks.recorded_managed import ClusterFiles, DatabaseFiles, EvidenceFiles

Arguments = dict[str, Any]
Made = tuple[str, Arguments]
_DECLARED: Final = ("deployments", "statefulsets", "nodes")


class Recorded(Protocol):
    """One case of the data, as its loader makes it."""

    info: Mapping[str, Any]

    def call(self, tool: str, arguments: Arguments) -> str: ...

    def find(self, tool: str, arguments: Arguments) -> Any: ...


def loader(data: Path) -> Callable[[str], Recorded]:
    """The class that reads a case folder, from the program beside the data."""
    spec = importlib.util.spec_from_file_location("replay_data", data / "replay.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{data} has no replay.py: is this the folder of the replay data?")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Callable[[str], Recorded]", module.Case)


class RecordedSource(Connector):
    """Behind the same tools as a real source. `made` lists the recorded calls in their order."""

    name = "recorded"
    title = "Recorded source"
    config_model = ConnectorConfig

    def __init__(self, case: Recorded) -> None:
        context = ConnectorContext(services=(), outbound=Outbound(EgressPolicy()), now=lambda: datetime.now(UTC))
        super().__init__(None, context)
        self.case = case
        self.made: list[Made] = []

    async def check(self) -> Check:
        return Check(ok=True, detail="recorded")

    def declared(self) -> tuple[Service, ...]:
        """What an operator would declare: whatever can be at fault by name."""
        raise NotImplementedError

    def subjects(self) -> list[str]:
        """What the question itself names, as far as the source knows it."""
        return []

    def knows(self, name: str) -> bool:
        return name in {service.name for service in self.declared()}


class RecordedCluster(RecordedSource):
    """A cluster whose every read was recorded."""

    def tools(self) -> list[Tool]:
        return tools_of(ClusterTools(self), source=self.name)

    async def read(self, read: Read) -> str:
        call = self.translated(read)
        self.made.append(call)
        return self.case.call(*call)

    @property
    def namespace(self) -> str:
        return str(self.case.info["system"].get("namespace") or "default")

    def translated(self, read: Read) -> Made:
        """The recorded tool and arguments that a read stands for."""
        place: Arguments = {"namespace": self.namespace}
        if read.what is What.LIST:
            more = {"wide": {"output_wide": True}, "labels": {"show_labels": True}}.get(read.detail, {})
            return "GetResources", {"resource_type": read.kind, **place, **more}
        if read.what is What.DESCRIBE:
            return "DescribeResource", {"resource_type": read.kind, "name": read.name, **place}
        if read.what is What.CONNECT:
            return "CheckServiceConnectivity", {"service_name": read.name, "port": int(read.detail or 0), **place}
        if read.what is What.COMPONENT:
            return "CheckNodeServiceStatus", {"node_name": read.name, "service_name": read.detail}
        named: Mapping[What, Made] = {
            What.MANIFEST: ("GetAppYAML", {"app_name": read.name}),
            What.LOGS: ("GetRecentLogs", {"service_name": read.name, **place}),
            What.ERRORS: ("GetErrorLogs", {"service_name": read.name, **place}),
            What.DEPENDENCIES: ("GetServiceDependencies", {"service_name": read.name}),
        }
        return named.get(read.what, ("GetAlerts", {}))

    def listed(self, kind: str) -> str:
        return self.case.call(*self.translated(Read(what=What.LIST, kind=kind)))

    def declared(self) -> tuple[Service, ...]:
        names = [row.name for kind in _DECLARED for row in rows(self.listed(kind))]
        return tuple(Service(name=name) for name in dict.fromkeys((*names, self.namespace)))


class ManagedCluster(RecordedCluster):
    """A cluster of which evidence files are left."""

    def __init__(self, case: Recorded) -> None:
        super().__init__(case)
        self._files = ClusterFiles(_files(case), self.namespace)

    async def read(self, read: Read) -> str:
        tool, text = self._files.answer(read)
        if tool and (tool, {}) not in self.made:
            self.made.append((tool, {}))
        return text or "no data"

    def listed(self, kind: str) -> str:
        return self._files.answer(Read(what=What.LIST, kind=kind))[1]


class QuestionedCluster(RecordedCluster):
    """A cluster of which the calls around one question were recorded."""

    def __init__(self, case: Recorded) -> None:
        super().__init__(case)
        self._calls = KubectlCalls(case, self.made)

    async def read(self, read: Read) -> str:
        return self._calls.answer(read) or "no data"

    def listed(self, kind: str) -> str:
        return self._calls.answer(Read(what=What.LIST, kind=kind))

    def subjects(self) -> list[str]:
        return self._calls.subjects()

    def declared(self) -> tuple[Service, ...]:
        policies = [row.name for row in rows(self.listed("networkpolicies"))]
        names = [HASH.sub("", name) for name in self.subjects()]
        pods = [HASH.sub("", row.name) for row in rows(self.listed("pods"))]
        own = [row.name for kind in _DECLARED for row in rows(self.listed(kind))]
        return tuple(Service(name=name) for name in dict.fromkeys((*own, *names, *pods, *policies)))


class ManagedDatabase(RecordedSource):
    """A database of which evidence files are left."""

    def __init__(self, case: Recorded) -> None:
        super().__init__(case)
        self._files = DatabaseFiles(_files(case), str(case.info["system"]["instance"]), self.made)

    def tools(self) -> list[Tool]:
        return tools_of(DatabaseTools(self._files), source=self.name)

    def declared(self) -> tuple[Service, ...]:
        return (Service(name=self._files.instance),)


def source_of(case: Recorded) -> RecordedSource:
    tools = {tool["name"] for tool in case.info["tools"]}
    if "query_grafana_metrics" in tools and case.info["system"]["kind"] == "rds":
        return ManagedDatabase(case)
    if "list_eks_pods" in tools:
        return ManagedCluster(case)
    return RecordedCluster(case) if "GetResources" in tools else QuestionedCluster(case)


def _files(case: Recorded) -> EvidenceFiles:
    names: Sequence[str] = [tool["name"] for tool in case.info["tools"]]
    return EvidenceFiles({name: case.call(name, {}) for name in names})
