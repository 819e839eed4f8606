"""What a new webhook needs: settings that its provider knows, and a secret."""

from __future__ import annotations

import secrets as tokens
from collections.abc import Mapping
from typing import Final

from agents.webhooks.contract import Provider
from agents.webhooks.heartbeat import HEARTBEAT, heartbeat_minutes
from agents.webhooks.problem import BadWebhook
from agents.webhooks.registry import discover_providers, provider
from store.secrets.redaction import Secret

LEAST_SECRET: Final = 12


def known_provider(name: str) -> Provider:
    """Raises BadWebhook."""
    found = provider(name)
    if found is None:
        raise BadWebhook(f"there is no provider {name!r}; there are: {', '.join(sorted(discover_providers()))}")
    return found


def checked_config(of: Provider, given: Mapping[str, str]) -> dict[str, str]:
    """Raises BadWebhook for a setting that is not known or missing."""
    if HEARTBEAT in given:
        heartbeat_minutes(given[HEARTBEAT])
    if unknown := sorted(given.keys() - of.settings.keys() - {HEARTBEAT}):
        known = ", ".join((*of.settings, HEARTBEAT))
        raise BadWebhook(f"{of.title} has no setting {unknown[0]!r}; it has: {known}")
    if missing := sorted(name for name in of.required if not given.get(name)):
        raise BadWebhook(f"{of.title} needs {missing[0]}=...: {of.settings[missing[0]]}")
    return dict(given)


def checked_secret(of: Provider, given: str | None) -> Secret:
    """The sender's own where it makes one itself, else a new one; empty where none is needed. Raises BadWebhook."""
    if not of.needs_secret:
        return Secret("")
    if given is None:
        return Secret(of.new_secret() or tokens.token_urlsafe(32))
    if len(given.strip()) < LEAST_SECRET:
        raise BadWebhook(f"a secret has at least {LEAST_SECRET} characters")
    return Secret(given.strip())
