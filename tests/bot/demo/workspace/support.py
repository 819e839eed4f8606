"""What the workspace's tests share: a manifest, a Bolt app, and its connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import Workspace

MANIFEST: dict[str, Any] = {
    "display_information": {"name": "Autoheal"},
    "features": {
        "agent_view": {"agent_description": "Investigates incidents"},
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "autoheal", "always_online": True},
        "slash_commands": [
            {"command": "/autoheal", "description": "Investigate, status, stop", "usage_hint": "status | stop | help"}
        ],
    },
    "oauth_config": {
        "scopes": {
            "bot": [
                "app_mentions:read",
                "assistant:write",
                "channels:history",
                "channels:join",
                "channels:read",
                "chat:write",
                "commands",
                "im:history",
                "im:read",
                "im:write",
                "reactions:write",
                "users:read",
            ]
        }
    },
    "settings": {
        "event_subscriptions": {
            "bot_events": [
                "agent_session_stopped",
                "agent_session_title_changed",
                "app_context_changed",
                "app_mention",
                "message.im",
                "message.channels",
                "app_home_opened",
                "member_joined_channel",
                "app_uninstalled",
                "tokens_revoked",
            ]
        },
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


@asynccontextmanager
async def connected(workspace: Workspace, app: AsyncApp) -> AsyncIterator[None]:
    """The app over a real Socket Mode connection."""
    handler = AsyncSocketModeHandler(app, workspace.app_token, ping_interval=1)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt has no types here
    await workspace.wait_for(lambda it: it.connections)
    try:
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # as above
        await asyncio.sleep(0)


def bolt_app(workspace: Workspace, client: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=client, signing_secret=workspace.signing_secret, raise_error_for_unhandled_request=False)


def button(action_id: str, text: str, **more: Any) -> dict[str, Any]:
    """An actions block with one button."""
    element = {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": text}, **more}
    return {"type": "actions", "elements": [element]}
