"""What the workspace takes from an app's manifest, and the refusals that Slack would make when it is saved.

https://docs.slack.dev/reference/app-manifest
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# https://docs.slack.dev/reference/events names the scope that each event needs.
EVENT_SCOPES: Mapping[str, str | None] = {
    "app_mention": "app_mentions:read",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "app_home_opened": None,
    "agent_session_stopped": "chat:write",
    "agent_session_title_changed": "chat:write",
    "app_context_changed": "assistant:write",
    "app_uninstalled": None,
    "tokens_revoked": None,
}


AGENT_EVENTS = frozenset({"agent_session_stopped", "agent_session_title_changed", "app_context_changed"})
"""Of apps that are declared agents only."""


class ManifestError(ValueError):
    """The manifest asks for something that does not fit together; the text says what to change."""


@dataclass(frozen=True, kw_only=True)
class ManifestCommand:
    name: str
    description: str
    usage_hint: str
    should_escape: bool


@dataclass(frozen=True, kw_only=True)
class App:
    """The installed app."""

    name: str
    bot_name: str
    scopes: tuple[str, ...]
    events: frozenset[str]
    commands: Mapping[str, ManifestCommand]
    interactivity: bool
    socket_mode: bool
    home_tab: bool
    messages_tab: bool
    is_agent: bool
    suggested_prompts: tuple[Mapping[str, str], ...]
    """Shown in a direct message until the app sets others."""


def read_manifest(manifest: Mapping[str, Any]) -> App:
    """The app described by `manifest`. Raises ManifestError when its parts contradict each other."""
    features = manifest.get("features", {})
    settings = manifest.get("settings", {})
    scopes = tuple(manifest.get("oauth_config", {}).get("scopes", {}).get("bot", ()))
    home = features.get("app_home", {})
    name = manifest.get("display_information", {}).get("name", "app")
    app = App(
        name=name,
        bot_name=features.get("bot_user", {}).get("display_name", name).lower(),
        scopes=scopes,
        events=frozenset(settings.get("event_subscriptions", {}).get("bot_events", ())),
        commands={command["command"]: _command(command) for command in features.get("slash_commands", ())},
        interactivity=bool(settings.get("interactivity", {}).get("is_enabled", False)),
        socket_mode=bool(settings.get("socket_mode_enabled", False)),
        home_tab=bool(home.get("home_tab_enabled", False)),
        messages_tab=bool(home.get("messages_tab_enabled", False)) or "agent_view" in features,
        is_agent="agent_view" in features,
        suggested_prompts=tuple(features.get("agent_view", {}).get("suggested_prompts", ())),
    )
    if "bot_user" not in features:
        raise ManifestError("features.bot_user is missing: an app without it has no bot")
    _check_events(app)
    if app.commands and "commands" not in scopes:
        raise ManifestError("features.slash_commands needs the scope commands in oauth_config.scopes.bot")
    if (unheard := sorted(app.events & AGENT_EVENTS)) and not app.is_agent:
        raise ManifestError(f"the event {unheard[0]} needs features.agent_view")
    if "agent_view" in features and "assistant:write" not in scopes:
        raise ManifestError("features.agent_view needs the scope assistant:write in oauth_config.scopes.bot")
    return app


def _command(command: Mapping[str, Any]) -> ManifestCommand:
    name, description = command["command"], command.get("description", "")
    if not name.startswith("/") or len(name) > 32:
        raise ManifestError(f"the slash command {name!r} must start with / and have at most 32 characters")
    if not 1 <= len(description) <= 140:
        raise ManifestError(f"the description of {name} must have 1 to 140 characters")
    return ManifestCommand(
        name=name,
        description=description,
        usage_hint=command.get("usage_hint", ""),
        should_escape=bool(command.get("should_escape", False)),
    )


def _check_events(app: App) -> None:
    for event in sorted(app.events):
        if event not in EVENT_SCOPES:
            raise ManifestError(f"the event {event} is not one that this workspace can send")
        needed = EVENT_SCOPES[event]
        if needed and needed not in app.scopes:
            raise ManifestError(f"the event {event} needs the scope {needed} in oauth_config.scopes.bot")
