"""What is declared of a webhook's heartbeat, by which alone its silence is judged: that nothing arrives says nothing,
unless something always does, such as Alertmanager's Watchdog.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agents.webhooks.problem import BadWebhook
from store.inbox.webhooks import Webhook

HEARTBEAT: Final = "heartbeat"
"""The setting that every webhook can have: minutes within which something always arrives there."""
_SINCE: Final = "heartbeat_since"
_MOST_MINUTES: Final = 7 * 24 * 60


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """Within `every` something always arrives; said at `since`, where that is known."""

    every: timedelta
    since: datetime | None = None


def heartbeat_minutes(words: str) -> int:
    """Raises BadWebhook."""
    if words.isascii() and words.isdigit() and 1 <= int(words) <= _MOST_MINUTES:
        return int(words)
    raise BadWebhook(f"a heartbeat is a number of minutes from 1 to {_MOST_MINUTES}")


def with_heartbeat(config: Mapping[str, Any], minutes: int | None, now: datetime) -> dict[str, Any]:
    """The settings with another heartbeat, or without one."""
    kept = {name: value for name, value in config.items() if name not in (HEARTBEAT, _SINCE)}
    return kept if minutes is None else {**kept, HEARTBEAT: str(minutes), _SINCE: now.isoformat()}


def heartbeat_of(config: Mapping[str, Any]) -> Heartbeat | None:
    minutes, since = str(config.get(HEARTBEAT) or ""), config.get(_SINCE)
    if not minutes.isdigit():
        return None
    said = datetime.fromisoformat(str(since)) if since else None
    return Heartbeat(every=timedelta(minutes=int(minutes)), since=said)


def silent_since(hook: Webhook, now: datetime, *, up_since: datetime | None = None) -> datetime | None:
    """Since when nothing was accepted that should have been; None where that is no silence, or none can be judged.

    `up_since`: before that nothing could arrive.
    """
    declared = heartbeat_of(hook.config)
    if declared is None:
        return None
    last = max(filter(None, (hook.accepted_at, hook.created_at, declared.since, up_since)))
    return last if now - last > declared.every else None
