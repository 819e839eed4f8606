"""A tenant's connected sources by what they can do, from the operator's file and the stored connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agents.connecting.connector import Actuator, ChangeSource, Connector, LogSource, MetricSource, Service, TraceSource
from agents.evidence.types import Edge
from agents.tool import Tool

# What a full picture needs; a kind that nothing provides is named in the first message and in the report's gaps.
KINDS: Final = ("metrics", "logs", "changes", "traces")


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """The connectors of one tenant and the services they may speak of."""

    connectors: tuple[Connector, ...] = ()
    services: tuple[Service, ...] = ()

    @property
    def metrics(self) -> list[MetricSource]:
        return [c for c in self.connectors if isinstance(c, MetricSource)]

    @property
    def logs(self) -> list[LogSource]:
        return [c for c in self.connectors if isinstance(c, LogSource)]

    @property
    def changes(self) -> list[ChangeSource]:
        return [c for c in self.connectors if isinstance(c, ChangeSource)]

    @property
    def traces(self) -> list[TraceSource]:
        return [c for c in self.connectors if isinstance(c, TraceSource)]

    @property
    def actuators(self) -> list[Actuator]:
        return [c for c in self.connectors if isinstance(c, Actuator)]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Declared dependencies, caller to callee."""
        return tuple(Edge(caller=s.name, callee=d) for s in self.services for d in s.depends_on)

    def service_names(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.services)

    def sources(self) -> list[str]:
        """Titles of what is read, for people."""
        sources = MetricSource | LogSource | ChangeSource | TraceSource
        return [c.title for c in self.connectors if c.tools() or isinstance(c, sources)]

    def evidence_sources(self) -> list[str]:
        """Titles of those that the evidence engine reads whenever it is asked."""
        return [
            c.title for c in self.connectors if isinstance(c, MetricSource | LogSource | ChangeSource | TraceSource)
        ]

    def missing(self) -> list[str]:
        """Kinds of evidence that no connector provides."""
        present: dict[str, Sequence[object]] = {
            "metrics": self.metrics,
            "logs": self.logs,
            "changes": self.changes,
            "traces": self.traces,
        }
        return [kind for kind in KINDS if not present.get(kind)]

    def connector_tools(self) -> list[Tool]:
        return [tool for connector in self.connectors for tool in connector.tools()]
