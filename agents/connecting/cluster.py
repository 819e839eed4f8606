"""The read tools of a Kubernetes cluster, over anything that can read one.

A connector implements `Cluster` and hands out `ClusterTools(cluster)`; the model sees outputs shortened to what can
matter, line by line verbatim. `read_of` and `call_of` translate between a tool call and the evidence engine's read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol

from pydantic import Field

from agents.evidence.kubernetes.condense import condense
from agents.evidence.kubernetes.types import Read, What
from agents.rows import Printed
from agents.tool import Arguments, NoArguments, ToolOutput, tool

_PREFIX: Final = "cluster_"
# The arguments of each tool, by the field of a read that they fill.
_FIELDS: Final[Mapping[What, Mapping[str, str]]] = {
    What.LIST: {"kind": "kind", "columns": "detail"},
    What.DESCRIBE: {"kind": "kind", "name": "name"},
    What.MANIFEST: {"name": "name", "only": "detail"},
    What.LOGS: {"name": "name"},
    What.ERRORS: {"name": "name"},
    What.CONNECT: {"name": "name", "port": "detail"},
    What.DEPENDENCIES: {"name": "name"},
    What.ALERTS: {},
    What.COMPONENT: {"node": "name", "component": "detail"},
}


_OF_ONE_SERVICE: Final = (What.MANIFEST, What.LOGS, What.ERRORS, What.CONNECT, What.DEPENDENCIES)


class Cluster(Protocol):
    """One namespace of one cluster, with its nodes."""

    async def read(self, read: Read) -> str:
        """The whole output of a read, as the cluster's own tools print it. Raises AgentError when it cannot be read."""


class ListArguments(Arguments):
    kind: str = Field(description="Plural resource type, such as pods, deployments, events.")
    columns: Literal["", "wide", "labels"] = Field(default="", description="More columns.")


class DescribeArguments(Arguments):
    kind: str = Field(description="Plural resource type.")
    name: str


class ManifestArguments(Arguments):
    name: str = Field(description="Name of the workload.")
    only: Literal["", "addresses", "routes"] = Field(default="", description="Only lines of this sort.")


class NameArguments(Arguments):
    name: str = Field(description="Name of the service.")


class ConnectArguments(Arguments):
    name: str = Field(description="Name of the service.")
    port: str = Field(pattern=r"^\d{1,5}$")


class ComponentArguments(Arguments):
    node: str
    component: Literal["kubelet", "containerd", "kube-proxy", "kube-scheduler"]


class ClusterTools:
    """Each docstring is a prompt. All of them read."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @tool()
    async def cluster_list(self, arguments: ListArguments) -> ToolOutput:
        """List the resources of one type. Only unusual rows are shown, the rest is counted."""
        return await self._read(What.LIST, arguments)

    @tool()
    async def cluster_describe(self, arguments: DescribeArguments) -> ToolOutput:
        """One resource: state, probes, limits and its warnings."""
        return await self._read(What.DESCRIBE, arguments)

    @tool()
    async def cluster_manifest(self, arguments: ManifestArguments) -> ToolOutput:
        """The configuration of one workload, without secrets' values."""
        return await self._read(What.MANIFEST, arguments)

    @tool()
    async def cluster_logs(self, arguments: NameArguments) -> ToolOutput:
        """The latest distinct lines of a service's logs that tell of trouble."""
        return await self._read(What.LOGS, arguments)

    @tool()
    async def cluster_errors(self, arguments: NameArguments) -> ToolOutput:
        """A service's error patterns over a longer time."""
        return await self._read(What.ERRORS, arguments)

    @tool()
    async def cluster_connect(self, arguments: ConnectArguments) -> ToolOutput:
        """Whether a service's port answers from inside the cluster, from each node where that is known."""
        return await self._read(What.CONNECT, arguments)

    @tool()
    async def cluster_dependencies(self, arguments: NameArguments) -> ToolOutput:
        """Who calls a service and whom it calls."""
        return await self._read(What.DEPENDENCIES, arguments)

    @tool()
    async def cluster_alerts(self, arguments: NoArguments) -> ToolOutput:
        """Active anomalies of services and nodes with normal and current values, and failed requests."""
        return await self._read(What.ALERTS, arguments)

    @tool()
    async def cluster_component(self, arguments: ComponentArguments) -> ToolOutput:
        """Whether a system component of a node runs."""
        return await self._read(What.COMPONENT, arguments)

    async def _read(self, what: What, arguments: Arguments) -> ToolOutput:
        read = _read(what, arguments.model_dump())
        shown = condense(read, await self._cluster.read(read))
        row = Printed(service=read.name if what in _OF_ONE_SERVICE else "", program=f"cluster {what}", text=shown)
        return ToolOutput(text=shown, rows=(row,), summary=shown.splitlines()[0][:80] if shown else "nothing")


def tool_name(what: What) -> str:
    return f"{_PREFIX}{what}"


def read_of(tool_called: str, arguments: Mapping[str, Any]) -> Read | None:
    """The read that a tool call asks for, None for other tools."""
    word = tool_called.removeprefix(_PREFIX)
    return _read(What(word), arguments) if tool_called != word and word in set(What) else None


def call_of(read: Read) -> tuple[str, dict[str, str]]:
    """Tool and arguments of a read; what is empty is left out."""
    given = {argument: str(getattr(read, name)) for argument, name in _FIELDS[read.what].items()}
    return tool_name(read.what), {argument: value for argument, value in given.items() if value}


def _read(what: What, arguments: Mapping[str, Any]) -> Read:
    fields = _FIELDS[what]
    return Read(what=what, **{name: str(arguments.get(argument) or "") for argument, name in fields.items()})
