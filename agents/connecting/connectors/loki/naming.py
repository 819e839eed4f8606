"""Which label of Loki's streams says of which service they are, and by which values.

Asked of the server, never guessed: a value counts where it is a service's name or an alias of it, and the label that
was found is told wherever it matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.loki.client import LokiClient
from agents.connecting.connectors.loki.settings import LokiConfig
from agents.english import counted
from agents.errors import Unavailable
from agents.evidence.types import Window

KIND: Final = "log"
"""What its names of services are called in an alias."""
USUAL: Final = (
    "service_name",
    "service",
    "app",
    "app_kubernetes_io_name",
    "application",
    "component",
    "job",
    "container",
)
"""https://grafana.com/docs/loki/latest/get-started/labels/ -- the first is made by Loki 3 itself."""
_NAMES_AT_ONCE: Final = 30  # in one question: a proxy refuses long addresses
_KEPT_FOR: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class StreamNames:
    """`label` tells services apart; `values` are those of each service. `labels` are all that streams carry."""

    label: str
    labels: frozenset[str]
    values: Mapping[str, tuple[str, ...]]
    recorded: tuple[str, ...]
    gaps: tuple[str, ...] = ()


class Naming:
    """Of one connection. The choice of a label is kept for some minutes; values are asked for each window."""

    def __init__(self, client: LokiClient, config: LokiConfig, context: ConnectorContext) -> None:
        self._client, self._config, self._context = client, config, context
        self._known: tuple[datetime, str, frozenset[str]] | None = None

    async def of(self, window: Window) -> StreamNames:
        """Raises Unavailable where no label tells services apart."""
        label, labels = await self._label(window)
        return await self._names(label, labels, window)

    def only(self) -> str:
        """The selector of all streams that may be read; "" where that is any."""
        matchers = [f"{name}={quoted(value)}" for name, value in self._config.only.items()]
        return "{" + ",".join(matchers) + "}" if matchers else ""

    async def _label(self, window: Window) -> tuple[str, frozenset[str]]:
        now = self._context.now()
        if self._known is not None and timedelta(0) <= now - self._known[0] < _KEPT_FOR:
            return self._known[1:]
        labels = frozenset(await self._client.labels(window))
        label = self._config.service_label or await self._found(labels, window)
        if labels:
            self._known = now, label, labels
        return label, labels

    async def _found(self, labels: frozenset[str], window: Window) -> str:
        """The usual label under which most services are; of equals the more usual one."""
        there = [name for name in USUAL if name in labels]
        if not there:
            carried = await self._context.clean_words(sorted(labels)[:20])
            told = f"they carry {', '.join(carried)}" if carried else "there are no streams in this time at all"
            raise Unavailable(f"no label of Loki's streams is one that usually names services; {told}")
        if len(there) == 1:
            return there[0]
        found = [(await self._names(name, labels, window), -place) for place, name in enumerate(there)]
        best, _ = max(found, key=lambda one: (sum(1 for values in one[0].values.values() if values), one[1]))
        return best.label

    async def _names(self, label: str, labels: frozenset[str], window: Window) -> StreamNames:
        recorded = await self._client.values(label, window, self.only())
        values: dict[str, list[str]] = {one.name: [] for one in self._context.services}
        unclear = 0
        for value in recorded:
            owners = owners_of(value, label, self._context.services)
            if len(owners) == 1:
                values[owners[0]].append(value)
            unclear += len(owners) > 1
        gaps = (
            (f"Loki: {counted(unclear, 'value')} of {label} could be of several services, so nothing of it is read",)
            if unclear
            else ()
        )
        return StreamNames(
            label=label,
            labels=labels,
            values={name: tuple(found) for name, found in values.items()},
            recorded=tuple(recorded),
            gaps=gaps,
        )

    def selectors(self, names: StreamNames, service: str) -> list[str]:
        """Of the streams of one service; several where it has more names than an address can hold."""
        values = [escaped(value) for value in names.values[service]]
        patterns = ["|".join(values[at : at + _NAMES_AT_ONCE]) for at in range(0, len(values), _NAMES_AT_ONCE)]
        only = [f"{name}={quoted(value)}" for name, value in self._config.only.items()]
        return ["{" + ",".join([f"{names.label}=~{quoted(pattern)}", *only]) + "}" for pattern in patterns]


def owners_of(value: str, label: str, services: Sequence[Service]) -> list[str]:
    """The services that call themselves so: by name or alias, else by a pattern."""
    called = [(one.name, {*one.names_for(KIND), *one.names_for(label)}) for one in services]
    exact = [name for name, names in called if value in names]
    return exact or [name for name, names in called if any("*" in n and fnmatchcase(value, n) for n in names)]


def quoted(text: str) -> str:
    """A string of LogQL."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{plain}"'


def escaped(text: str) -> str:
    """A text as the pattern that matches it alone, in the syntax of RE2."""
    return "".join(f"\\{letter}" if letter in r"\.+*?()|[]{}^$" else letter for letter in text)
