"""Reads Grafana Mimir, or Cortex, by the code that reads Prometheus: its API is the same below a prefix of its own.

https://grafana.com/docs/mimir/latest/references/http-api/ -- it has no targets, so the scrape interval is counted from
samples, and its limits are per tenant: what one refuses is a gap of those metrics, not of all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from pydantic import Field, HttpUrl

from agents.connecting.certificates import OWN_AUTHORITY, own_way_out
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.loki.settings import TENANT, TENANT_FIELD
from agents.connecting.connectors.prometheus import Prometheus
from agents.connecting.connectors.prometheus.settings import FORM, PrometheusConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form
from agents.tool import Tool

_PREFIX: Final = "/prometheus"


class MimirConfig(PrometheusConfig):
    """As of a Prometheus. An address without a path is that of Mimir itself, whose API is below `/prometheus`."""

    tenant: str = Field(default="", pattern=rf"^({TENANT})?$")
    certificate_authority: str = ""

    def as_prometheus(self) -> PrometheusConfig:
        given = self.model_dump(exclude={"tenant", "certificate_authority"})
        url = str(self.url).rstrip("/")
        if (self.url.path or "/") == "/":
            url += _PREFIX
        headers = dict(self.headers) | ({"X-Scope-OrgID": self.tenant} if self.tenant else {})
        return PrometheusConfig.model_validate({**given, "url": HttpUrl(url), "headers": headers})


class Mimir(Prometheus):
    name = "mimir"
    title = "Mimir"
    config_model = MimirConfig
    about = "Metrics: Grafana Mimir or Cortex, by itself or hosted."
    docs_url = "https://grafana.com/docs/mimir/latest/references/http-api/"
    form = Form(
        fields=(
            Asked(
                name="url",
                label="Address",
                help="Of Mimir or its gateway. Without a path, /prometheus is added; a hosted one's path is kept.",
                example="https://mimir.example.com",
                required=True,
                pattern=r"https?://\S+",
            ),
            TENANT_FIELD,
            *(one for one in FORM.fields if one.name in ("service_label", "only")),
            OWN_AUTHORITY,
            *(one for one in FORM.fields if one.is_credential),
        ),
        ways=FORM.ways,
        open=True,
    )
    leaves_behind = "A token stays valid at Mimir's gateway until it is deleted there."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        self._own = own_way_out(context, config.certificate_authority)
        way = context if self._own is None else replace(context, outbound=self._own)
        super().__init__(config.as_prometheus(), way)

    async def close(self) -> None:
        if self._own is not None:
            await self._own.close()

    def tools(self) -> list[Tool]:
        """Under names of their own where the operator's file connects it, which may connect a Prometheus as well."""
        found = super().tools()
        return found if self.context.label else [replace(one, name=f"mimir_{one.name}") for one in found]


CONNECTOR = Mimir
