"""What is read from a cluster, and what is concluded from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from agents.evidence.kubernetes.labels import Label

ObjectKind = Literal["app", "node", "namespace"]
_LONGEST_QUOTE: Final = 300


class What(StrEnum):
    """A way to read a cluster. A tool that offers it is named `cluster_` and this word."""

    LIST = "list"
    DESCRIBE = "describe"
    MANIFEST = "manifest"
    LOGS = "logs"
    ERRORS = "errors"
    CONNECT = "connect"
    DEPENDENCIES = "dependencies"
    ALERTS = "alerts"
    COMPONENT = "component"


@dataclass(frozen=True, kw_only=True)
class Read:
    """One read. `kind` is a plural resource type; `detail` is a port (connect), a component (component) or `labels` or
    `wide` (list). `namespace` is empty where only one is connected.
    """

    what: What
    kind: str = ""
    name: str = ""
    detail: str = ""
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class ClusterReading:
    """What a read answered. `source` is what a quote from it cites. One that `failed` says nothing of the cluster."""

    read: Read
    text: str
    source: str = ""
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A piece of one line, character by character, and where it stands."""

    line: str
    source: str

    def around(self, needle: str) -> Quote:
        """The part of a long line that holds `needle`."""
        if len(self.line) <= _LONGEST_QUOTE:
            return self
        at = max(0, self.line.lower().find(needle.lower()))
        start = max(0, min(at - _LONGEST_QUOTE // 2, len(self.line) - _LONGEST_QUOTE))
        return Quote(line=self.line[start : start + _LONGEST_QUOTE].strip(), source=self.source)


@dataclass(frozen=True, kw_only=True)
class ClusterHypothesis:
    """One explanation: the object at fault (not where it shows), the root cause, and what proves it.

    `score` is 0 to 1: .9 and more where a line names the cause outright, .6 to .8 where it follows from comparing two
    facts, below .5 where something is merely abnormal.
    """

    kind: ObjectKind
    name: str
    label: Label
    score: float
    because: str
    quotes: tuple[Quote, ...] = field(default=())
