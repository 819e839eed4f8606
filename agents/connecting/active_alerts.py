"""Alerts as their sources hold them now, and the silences that keep them from ringing: what an alert source answers,
and what one that can silence carries out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from agents.connecting.connector import Actuator

AlertState = Literal["firing", "silenced", "inhibited", "muted", "acknowledged", "suppressed"]
"""`muted` by a time interval of its route, `suppressed` by a rule, `acknowledged` by somebody who works on it. All but
the first reach nobody.
"""


@dataclass(frozen=True, kw_only=True)
class ActiveAlert:
    """An alert of a declared service that its source holds for active. `key` is the source's own id of it.

    `is_whole` is false where something secret was taken out of its labels, so that they do not name it any more.
    """

    key: str
    service: str
    name: str
    state: AlertState
    since: datetime
    severity: str = ""
    summary: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    is_whole: bool = True
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class AlertsRead:
    """Active alerts, those that fire before those that are kept quiet. `gaps` are sentences on what was not read."""

    alerts: tuple[ActiveAlert, ...]
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Silence:
    """`matchers` as the source writes them, one a label. `is_own`: made by Autoheal."""

    key: str
    matchers: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    by: str = ""
    comment: str = ""
    is_own: bool = False
    link: str | None = None


@runtime_checkable
class AlertSource(Protocol):
    """Knows which alerts are active now. Of all declared services where none are named."""

    async def read_alerts(self, services: Sequence[str] | None = None) -> AlertsRead: ...


@runtime_checkable
class Silencer(AlertSource, Actuator, Protocol):
    """An actuator that can keep an alert quiet and end that: by `silence_alert` and `expire_silence`, or as its vendor
    calls it.
    """

    async def own_silence(self, labels: Mapping[str, str]) -> Silence | None:
        """The active silence of exactly these labels that Autoheal made. Raises AgentError."""

    def silence_parameters(self, alert: ActiveAlert, *, minutes: int, comment: str) -> Mapping[str, str]:
        """What `act` needs to silence it, as a plan keeps it."""
