"""What connecting Datadog asks of people: the site, two keys, and which tiers of logs are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way

Tier = Literal["indexes", "flex", "online-archives"]
TIERS: Final[tuple[Tier, ...]] = ("indexes", "flex", "online-archives")


@dataclass(frozen=True, kw_only=True)
class DatadogSite:
    """Where an organisation lives: the host of its API and that of its pages."""

    name: str
    domain: str
    page: str

    @property
    def api(self) -> str:
        return f"https://api.{self.domain}"


# https://docs.datadoghq.com/getting_started/site/
_SITES: Final = (
    DatadogSite(name="US1", domain="datadoghq.com", page="https://app.datadoghq.com"),
    DatadogSite(name="US3", domain="us3.datadoghq.com", page="https://us3.datadoghq.com"),
    DatadogSite(name="US5", domain="us5.datadoghq.com", page="https://us5.datadoghq.com"),
    DatadogSite(name="EU1", domain="datadoghq.eu", page="https://app.datadoghq.eu"),
    DatadogSite(name="AP1", domain="ap1.datadoghq.com", page="https://ap1.datadoghq.com"),
    DatadogSite(name="AP2", domain="ap2.datadoghq.com", page="https://ap2.datadoghq.com"),
    DatadogSite(name="UK1", domain="uk1.datadoghq.com", page="https://uk1.datadoghq.com"),
    DatadogSite(name="US1-FED", domain="ddog-gov.com", page="https://app.ddog-gov.com"),
    DatadogSite(name="US2-FED", domain="us2.ddog-gov.com", page="https://us2.ddog-gov.com"),
)
_ALSO: Final = {"eu": "EU1", "us": "US1", "gov": "US1-FED"}
SITES: Final[Mapping[str, DatadogSite]] = {
    **{key.lower(): one for one in _SITES for key in (one.name, one.domain, one.page.removeprefix("https://"))},
    **{short: one for short, name in _ALSO.items() for one in _SITES if one.name == name},
}
"""By name, by domain and by the host of its pages, in small letters."""


class DatadogConfig(ConnectorConfig):
    """`names` maps a declared service to the value, or values, of the tag `service` where they differ. `environment` is
    the value of the tag `env` that is read; empty: all. `tiers` are those of the logs. `operations` names the span by
    which a service's requests are measured, where the usual ones do not fit. `api` is a proxy in Datadog's place.
    """

    site: str = "US1"
    names: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    environment: str = ""
    tiers: tuple[Tier, ...] = ("indexes",)
    operations: Mapping[str, str] = Field(default_factory=dict)
    max_metrics: int = Field(default=40, ge=0, le=200)
    api: HttpUrl | None = None

    @field_validator("site")
    @classmethod
    def _known(cls, site: str) -> str:
        name = site.strip().lower().removeprefix("https://").rstrip("/")
        if name not in SITES:
            raise ValueError(f"there is no site {site!r}; there are {', '.join(one.name for one in _SITES)}")
        return SITES[name].name

    @field_validator("names", mode="before")
    @classmethod
    def _one_or_several(cls, names: object) -> object:
        if not isinstance(names, Mapping):
            return names
        return {name: (value,) if isinstance(value, str) else value for name, value in names.items()}

    @field_validator("tiers")
    @classmethod
    def _some(cls, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
        return tiers or ("indexes",)

    @field_validator("environment")
    @classmethod
    def _plain(cls, environment: str) -> str:
        if not all(letter.isalnum() or letter in "-_./" for letter in environment):
            raise ValueError("is the value of a tag: letters, digits, and - _ . /")
        return environment

    @property
    def where(self) -> DatadogSite:
        return SITES[self.site.lower()]

    @property
    def base(self) -> str:
        return str(self.api).rstrip("/") if self.api is not None else self.where.api


FORM: Final = Form(
    fields=(
        Asked(
            name="site",
            label="Site",
            help="As your address in the browser tells: datadoghq.com is US1, us5.datadoghq.com US5, datadoghq.eu EU1, "
            "and so on: US1, US3, US5, EU1, AP1, AP2, UK1, US1-FED.",
            example="EU1",
            required=True,
        ),
        Asked(
            name="api_key",
            label="API key",
            help="Datadog: Organization Settings, API Keys.",
            secret=True,
            pattern=r"[A-Za-z0-9_-]{32,64}",
        ),
        Asked(
            name="application_key",
            label="Application key",
            help="Of a service account: Organization Settings, Service Accounts, with the scopes named above only.",
            secret=True,
            pattern=r"[A-Za-z0-9_-]{40,80}",
        ),
        Asked(
            name="environment",
            label="Environment",
            help="Only what carries this value of the tag env. Empty: all.",
            example="production",
        ),
        Asked(
            name="tiers",
            label="Tiers of logs",
            help="Which are read: indexes, flex, online-archives. Empty: indexes.",
            example="indexes",
            kind="lines",
        ),
    ),
    ways=(Way(title="API key and application key", fields=("api_key", "application_key")),),
)
SCOPES: Final = (
    Scope(name="monitors_read", without="monitors that alert are not seen"),
    Scope(name="metrics_read", without="it is not known which metrics a service has"),
    Scope(name="timeseries_query", without="no metric can be read"),
    Scope(name="logs_read_data", without="no log can be read"),
    Scope(name="apm_read", without="no recorded request can be read"),
    Scope(name="events_read", without="events, and the deployments among them, are not known"),
    Scope(name="dora_metrics_read", without="deployments that were reported to DORA metrics are not known"),
    Scope(name="monitors_downtime", without="what mutes a monitor is not known, and none can be muted"),
)
