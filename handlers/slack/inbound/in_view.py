"""Which channel somebody has open beside the app, as Slack's `app_context_changed` tells it.

Kept in memory alone, for a few minutes, and only the newest of each person: it says what somebody looks at, and is used
for nothing but to know which incident a question in a direct message means.
https://docs.slack.dev/reference/events/app_context_changed
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from store.ids import TenantId

KEPT_FOR: Final = timedelta(minutes=15)
_MOST_PEOPLE: Final = 5_000


class InView:
    """One a process: a replica knows what it was told itself."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._seen: OrderedDict[tuple[TenantId, str], tuple[str, datetime]] = OrderedDict()

    def note(self, tenant: TenantId, slack_user_id: str, channel_id: str | None) -> None:
        """None: no channel is open any more."""
        self._seen.pop((tenant, slack_user_id), None)
        if channel_id is not None:
            self._seen[tenant, slack_user_id] = (channel_id, self._clock())
        while len(self._seen) > _MOST_PEOPLE:
            self._seen.popitem(last=False)

    def channel_of(self, tenant: TenantId, slack_user_id: str) -> str | None:
        channel, at = self._seen.get((tenant, slack_user_id), ("", None))
        return channel if at is not None and self._clock() - at <= KEPT_FOR else None
