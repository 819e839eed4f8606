"""What the handlers need of Slack's Web API: a client that speaks in the name of a tenant's bot."""

from __future__ import annotations

from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from store.ids import TenantId


class SlackClients(Protocol):
    """The Web API with a tenant's own bot token."""

    async def client_for(self, tenant: TenantId) -> AsyncWebClient:
        """Raises NotFound when the tenant has no working install."""
