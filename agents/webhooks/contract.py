"""What a provider of webhooks is, and the one form into which all their bodies are brought.

`verify` judges raw bytes before anything is parsed; `normalise` reads the parsed body and never raises: a shape that it
does not know is kept, as `known=False`, with whatever title can be found. Both are pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from agents.webhooks.headers import Headers

Kind = Literal["alert", "change", "ticket", "other"]
Status = Literal["firing", "resolved", "acknowledged", "info"]
Severity = Literal["critical", "high", "warning", "info", "unknown"]
ChangeKind = Literal["deployment", "merge", "release", "flag", "push", "pipeline", "branch", "package"]
Reason = Literal[
    "no_secret", "no_signature", "wrong_signature", "stale", "unreadable", "untrusted_certificate", "other_topic"
]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "warning", "info", "unknown")
"""From the worst to what says nothing."""


@dataclass(frozen=True)
class Verified:
    """Sent by who knows the secret. `signed` is what the signature covers: a replay has the same. None where a secret
    is sent along instead: there the same bytes may be news, for example that an alert still fires.
    """

    signed: bytes | None


@dataclass(frozen=True)
class Refusal:
    """Not believed; the reason is a closed word."""

    reason: Reason


@dataclass(frozen=True, kw_only=True)
class ReportedChange:
    """Something was changed: what the change log keeps of it."""

    kind: ChangeKind
    outcome: str = ""
    repository: str = ""
    version: str = ""
    author: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One alert, change, ticket or other thing.

    `key` is the source's own identifier of the thing, under the provider's name; `scope` tells apart what one such
    identifier stands for, such as the hosts of one monitor. `service` is stated by the source, not guessed.
    """

    kind: Kind
    status: Status = "info"
    severity: Severity = "unknown"
    title: str
    text: str = ""
    service: str | None = None
    environment: str | None = None
    source_url: str | None = None
    runbook_url: str | None = None
    key: str
    scope: str = ""
    occurred_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    change: ReportedChange | None = None


@dataclass(frozen=True, kw_only=True)
class Normalised(Part):
    """A whole body. `event` is the source's word for it. `parts`: the single alerts, where one body holds several."""

    provider: str
    event: str = ""
    known: bool = True
    parts: tuple[Part, ...] = ()

    def each(self) -> Sequence[Part]:
        """The single things in it."""
        return self.parts or (self,)


class Provider:
    """Base of all providers; stateless. `setup` tells an admin where the secret goes at the vendor."""

    name: ClassVar[str]
    title: ClassVar[str]
    docs_url: ClassVar[str]
    setup: ClassVar[str]
    needs_secret: ClassVar[bool] = True
    settings: ClassVar[Mapping[str, str]] = {}
    """Name to help of what can be set for one webhook; those in `required` must be."""
    required: ClassVar[frozenset[str]] = frozenset()

    def new_secret(self) -> str | None:
        """One in the vendor's form; None for the general one."""
        return None

    def vendor_makes_secret(self, config: Mapping[str, Any]) -> bool:
        """Whether the vendor makes the secret of a webhook that is set so: then one that is made here is of no use."""
        del config
        return False

    def certificate_url(self, raw: bytes) -> str | None:
        """Where the certificate lies that `verify` needs, if the address is the vendor's."""
        del raw
        return None

    def confirmation_url(self, body: Any) -> str | None:
        """Where a subscription is confirmed, if the body asks for that and the address is the vendor's."""
        del body
        return None

    def verify(
        self,
        raw: bytes,
        headers: Headers,
        *,
        secrets: Sequence[str],
        now: float,
        config: Mapping[str, Any],
        certificates: Mapping[str, bytes],
    ) -> Verified | Refusal:
        """Whether the sender knows one of the secrets. `now` is Unix time. Several secrets while one is rotated."""
        raise NotImplementedError

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        """The body in the one form; None for a shape that this provider does not send. May raise nothing but what
        `normalise` turns into an unknown shape.
        """
        raise NotImplementedError

    def normalise(self, body: Any, headers: Mapping[str, str], config: Mapping[str, Any] | None = None) -> Normalised:
        """Never raises."""
        from agents.webhooks.unknown import unknown_shape  # noqa: PLC0415 -- it needs this module's classes

        try:
            found = self.read(body, Headers(headers), config or {})
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError):
            found = None
        return unknown_shape(self.name, body) if found is None or not found.title.strip() else found
