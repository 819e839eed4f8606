"""Prometheus' Alertmanager. It signs nothing: its secret goes into `http_config`, as credentials or a password.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agents.webhooks.alert_groups import read_group
from agents.webhooks.contract import Normalised, Provider, Refusal, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.signing import sent_secret, verify_token


class AlertmanagerProvider(Provider):
    name = "alertmanager"
    title = "Alertmanager"
    docs_url = "https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"
    setup = "In alertmanager.yml, in the receiver's webhook_configs: http_config.authorization.credentials."

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
        del raw, now, config, certificates
        return verify_token(sent_secret(headers), secrets)

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del headers, config
        return read_group(self.name, body)


PROVIDER = AlertmanagerProvider()
