"""The read tools of a Kubernetes cluster, over anything that can read one.

A connector implements `Cluster` and hands out `ClusterTools(cluster)`; the model sees outputs shortened to what can
matter, line by line verbatim. `read_of` and `call_of` translate between a tool call and the evidence engine's read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from pydantic import Field, create_model

from agents.evidence.kubernetes.condense import condense
from agents.evidence.kubernetes.types import Read, What
from agents.rows import Printed
from agents.tool import Arguments, NoArguments, Tool, ToolOutput, tool, tools_of

_PREFIX: Final = "cluster_"
ROLLOUTS: Final = f"{_PREFIX}rollouts"
"""The tool that tells a service's rollouts, where the cluster keeps them."""
_OF: Final = "__"  # between a stored connection's name and that of its tool
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


@dataclass(frozen=True, kw_only=True)
class ClusterText:
    """What a read answered, whole, as the cluster's own tools print it. `service` is the declared service that it is
    about, "" where it is about several or none; `gap` says what of it could not be read.
    """

    text: str
    service: str = ""
    gap: str | None = None


class Cluster(Protocol):
    """Namespaces of one cluster, with its nodes."""

    async def read(self, read: Read) -> ClusterText | str:
        """Of the namespace that it names, else of the first; a text where there is nothing else to say of it. Raises
        AgentError when it cannot be read.
        """


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

    def tools(self, source: str, offers: frozenset[What], namespaces: Sequence[str]) -> list[Tool]:
        """Those that this cluster can answer; with several namespaces each takes the name of one."""
        names = {tool_name(what) for what in offers}
        found = [one for one in tools_of(self, source=source) if one.name in names]
        return [_of_namespaces(one, namespaces) for one in found] if len(namespaces) > 1 else found

    async def _read(self, what: What, arguments: Arguments) -> ToolOutput:
        read = _read(what, arguments.model_dump())
        answer = await self._cluster.read(read)
        seen = ClusterText(text=answer) if isinstance(answer, str) else answer
        shown = condense(read, seen.text)
        about = seen.service or (read.name if what in _OF_ONE_SERVICE else "")
        row = Printed(service=about, program=f"cluster {what}", text=shown)
        summary = shown.splitlines()[0][:80] if shown else "nothing"
        return ToolOutput(text=shown, rows=(row,), summary=summary, gap=seen.gap)


def _of_namespaces(found: Tool, namespaces: Sequence[str]) -> Tool:
    which = Literal[tuple(namespaces)]  # type: ignore[valid-type] # the names are known at run time only
    described = Field(default=namespaces[0], description="Which namespace is meant.")
    fields: dict[str, Any] = {"namespace": (which, described)}
    return replace(found, arguments=create_model(found.arguments.__name__, __base__=found.arguments, **fields))


def tool_name(what: What) -> str:
    return f"{_PREFIX}{what}"


def named(tool: str, connection: str) -> str:
    """A tool of a stored connection, whose name it begins with; of the operator's file as it is."""
    return f"{connection}{_OF}{tool}" if connection else tool


def own_name(tool: str) -> str:
    """A tool's name without that of its connection."""
    return tool.rpartition(_OF)[2]


def connections_of(tools: Iterable[str]) -> list[str]:
    """The connections whose tools list a cluster's objects; "" where the operator's file connects one."""
    return [name.rpartition(_OF)[0] for name in tools if own_name(name) == tool_name(What.LIST)]


def read_of(tool_called: str, arguments: Mapping[str, Any]) -> Read | None:
    """The read that a tool call asks for, whichever connection it is of; None for other tools."""
    tool_called = own_name(tool_called)
    word = tool_called.removeprefix(_PREFIX)
    return _read(What(word), arguments) if tool_called != word and word in set(What) else None


def call_of(read: Read) -> tuple[str, dict[str, str]]:
    """Tool and arguments of a read; what is empty is left out."""
    given = {argument: str(getattr(read, name)) for argument, name in _FIELDS[read.what].items()}
    given["namespace"] = read.namespace
    return tool_name(read.what), {argument: value for argument, value in given.items() if value}


def _read(what: What, arguments: Mapping[str, Any]) -> Read:
    fields = _FIELDS[what]
    given = {name: str(arguments.get(argument) or "") for argument, name in fields.items()}
    return Read(what=what, namespace=str(arguments.get("namespace") or ""), **given)
