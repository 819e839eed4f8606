"""A tenant's connected sources by what they can do, from the operator's file and the stored connections."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agents.connecting.active_alerts import AlertSource
from agents.connecting.connector import Actuator, ChangeSource, Connector, LogSource, MetricSource, Service, TraceSource
from agents.connecting.source_code import CodeSource
from agents.evidence.types import Edge
from agents.language.service_names import spellings
from agents.tool import Tool
from store.ids import TenantId

ToolboxFor = Callable[[TenantId], Awaitable["Toolbox"]]
"""A tenant's toolbox as it is now."""

MOST_FOREIGN: Final = 40
"""Foreign tools in one run: more cost a model its view of ours."""
_WORD: Final = re.compile(r"[a-z0-9]{3,}")
# What a full picture needs; a kind that nothing provides is named in the first message and in the report's gaps.
KINDS: Final = ("metrics", "logs", "changes", "traces")


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """The connectors of one tenant and the services they may speak of.

    `version` is that of the stored connections and the catalog that it was made from.
    """

    connectors: tuple[Connector, ...] = ()
    services: tuple[Service, ...] = ()
    version: int = 0

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
    def alerts(self) -> list[AlertSource]:
        return [c for c in self.connectors if isinstance(c, AlertSource)]

    @property
    def code(self) -> list[CodeSource]:
        return [c for c in self.connectors if isinstance(c, CodeSource)]

    @property
    def actuators(self) -> list[Actuator]:
        return [c for c in self.connectors if isinstance(c, Actuator)]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Declared dependencies, caller to callee."""
        return tuple(Edge(caller=s.name, callee=d) for s in self.services for d in s.depends_on)

    def service_names(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.services)

    def spellings(self) -> dict[str, str]:
        """Other names of the services, each of one: what people, alerts and sources call them."""
        return spellings(self.services)

    def instructions(self) -> list[str]:
        """What the model is told of each connected vendor, while it is connected."""
        return [f"{c.title}: {c.instructions.strip()}" for c in self.connectors if c.instructions]

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

    def connector_tools(self, question: str = "") -> list[Tool]:
        """Those of the operator's file under their own names, those of a stored connection as `label__tool`: so two
        connections of a kind are told apart, and a name means the same whatever else is connected later.

        Of foreign tools the `MOST_FOREIGN` at most that have most words in common with the question.
        """
        found = [_named(tool, connector) for connector in self.connectors for tool in connector.tools()]
        foreign = [tool for tool in found if tool.foreign]
        if len(foreign) <= MOST_FOREIGN:
            return found
        asked = _words(question)
        ranked = sorted(foreign, key=lambda tool: -len(asked & _words(f"{tool.name} {tool.description}")))
        chosen = {tool.name for tool in ranked[:MOST_FOREIGN]}
        return [tool for tool in found if not tool.foreign or tool.name in chosen]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _named(found: Tool, connector: Connector) -> Tool:
    label = connector.context.label
    if not label:
        return found
    return replace(found, name=f"{label}__{found.name}", description=f"{found.description}\n\nOf {connector.title}.")


def always(toolbox: Toolbox) -> ToolboxFor:
    """The same for every tenant, as benchmarks and tests want it."""

    async def toolbox_for(_tenant: TenantId) -> Toolbox:
        return toolbox

    return toolbox_for
