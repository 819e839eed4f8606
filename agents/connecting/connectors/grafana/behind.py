"""The data sources that may be read through Grafana, each by the connector that reads it natively.

Only the base address and the token differ. Nothing else is reached, since an address is made of a uid that the form
allowed.

https://grafana.com/docs/grafana/latest/developers/http_api/data_source/#data-source-proxy-calls
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from pydantic import HttpUrl

from agents.connecting.active_alerts import Silence
from agents.connecting.connector import Connector, ConnectorContext
from agents.connecting.connectors.alertmanager import Alertmanager
from agents.connecting.connectors.alertmanager.answers import GivenSilence
from agents.connecting.connectors.alertmanager.settings import AlertmanagerConfig
from agents.connecting.connectors.grafana.settings import GrafanaConfig
from agents.connecting.connectors.loki import Loki
from agents.connecting.connectors.loki.settings import LokiConfig
from agents.connecting.connectors.prometheus import Prometheus
from agents.connecting.connectors.prometheus.settings import PrometheusConfig
from agents.connecting.connectors.tempo import Tempo
from agents.connecting.connectors.tempo.settings import TempoConfig

_ALERTS = "/api/alertmanager/grafana"


class GrafanaAlerts(Alertmanager):
    """Grafana's own Alertmanager: the same API below a path of its own, with pages of Grafana."""

    title = "Grafana's alerts"

    def _page(self, matchers: Sequence[str]) -> str:
        chosen = quote(f"{{{','.join(matchers)}}}", safe="")
        return f"{self._base.removesuffix(_ALERTS)}/alerting/groups?queryString={chosen}"

    def _silence(self, one: GivenSilence) -> Silence:
        page = f"{self._base.removesuffix(_ALERTS)}/alerting/silence/{one.id}/edit"
        return replace(super()._silence(one), link=page)


def read_through(config: GrafanaConfig, context: ConnectorContext, key: str) -> dict[str, tuple[str, Connector]]:
    """By uid, what it must be and its connector; alerts under "". `key` begins the names that they get."""
    base = str(config.url).rstrip("/")

    def proxy(uid: str) -> HttpUrl:
        return HttpUrl(f"{base}/api/datasources/proxy/uid/{uid}")

    def named(kind: str, number: int) -> ConnectorContext:
        return replace(context, label=f"{key}-{kind}" if number == 1 else f"{key}-{kind}-{number}")

    alerts = AlertmanagerConfig(url=HttpUrl(f"{base}{_ALERTS}"), service_labels=config.service_labels)
    found: dict[str, tuple[str, Connector]] = {"": ("alerts", GrafanaAlerts(alerts, named("alerts", 1)))}
    for number, uid in enumerate(config.metrics, 1):
        metrics = PrometheusConfig(url=proxy(uid), service_label=config.metrics_label)
        found[uid] = "prometheus", Prometheus(metrics, named("metrics", number))
    for number, uid in enumerate(config.logs, 1):
        logs = LokiConfig(url=proxy(uid), service_label=config.logs_label)
        found[uid] = "loki", Loki(logs, named("logs", number))
    for number, uid in enumerate(config.traces, 1):
        found[uid] = "tempo", Tempo(TempoConfig(url=proxy(uid)), named("traces", number))
    return found
