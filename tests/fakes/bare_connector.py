"""A connector of a test that is made without settings."""

from __future__ import annotations

from datetime import UTC, datetime

from agents.connecting.connector import Connector, ConnectorContext
from agents.connecting.outbound import EgressPolicy, Outbound


class BareConnector(Connector):
    """Reaches nothing, has no credentials and no label of a stored connection."""

    context = ConnectorContext(
        services=(), outbound=Outbound(EgressPolicy()), now=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
