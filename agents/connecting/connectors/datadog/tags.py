"""Which values of the tag `service` are which declared service, and how a question names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from agents.connecting.connector import Service

_UNUSUAL: Final = re.compile(r"[^a-z0-9_./*-]")


class ServiceTags:
    """Of one connection. `environment` narrows every question; "" does not."""

    def __init__(self, services: Iterable[Service], names: Mapping[str, Sequence[str]], environment: str) -> None:
        self._values = {
            one.name: tuple(dict.fromkeys(as_tag(v) for v in names.get(one.name) or one.names_for("service")))
            for one in services
        }
        self._environment = as_tag(environment)

    def values(self, service: str) -> tuple[str, ...]:
        return self._values[service]

    def service_of(self, value: str) -> str:
        """The declared service that a value of the tag means; "" for none."""
        tag = as_tag(value)
        exact = [name for name, values in self._values.items() if tag in values]
        fitting = exact or [
            name for name, values in self._values.items() if any("*" in v and fnmatchcase(tag, v) for v in values)
        ]
        return fitting[0] if len(fitting) == 1 else ""

    def of_tags(self, tags: Iterable[str]) -> str:
        """The service that a list of tags such as `service:checkout` names."""
        for tag in tags:
            name, _, value = tag.partition(":")
            if name.strip().lower() == "service" and (service := self.service_of(value)):
                return service
        return ""

    def clause(self, services: Sequence[str]) -> str:
        """As searches of logs, spans and events write it."""
        values = [value for service in services for value in self._values[service]]
        only = f" env:{self._environment}" if self._environment else ""
        return f"service:({' OR '.join(values)}){only}"

    def scope(self, value: str) -> str:
        """As a query of metrics writes it."""
        return f"service:{value}" + (f",env:{self._environment}" if self._environment else "")


def as_tag(value: str) -> str:
    """A tag's value as Datadog stores it. https://docs.datadoghq.com/getting_started/tagging/#define-tags"""
    return _UNUSUAL.sub("_", value.strip().lower())


def phrase(text: str) -> str:
    """Words as a search looks for them, to the letter."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
