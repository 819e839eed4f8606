"""What a workspace's installation of the app turned out to lack while it was used, for `autoheal doctor` and Home.

Slack tells it only when it is tried. Installing anew empties the list, and so does using it with success.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from store.database.schema import SlackInstallRow
from store.database.session import TenantSession

AGENT_SESSIONS: Final = "agent_sessions"
STOP_BUTTON: Final = "agent_session_stopped"


async def note_lacking(s: TenantSession, what: str, *, lacking: bool) -> None:
    """Of the newest installation. Safe to repeat; nothing without an installation."""
    row = await _newest(s)
    if row is None or (what in row.lacking) == lacking:
        return
    kept = [one for one in row.lacking if one != what]
    row.lacking = tuple(sorted([*kept, what] if lacking else kept))
    await s.save()


async def read_lacking(s: TenantSession) -> tuple[str, ...]:
    row = await _newest(s)
    return () if row is None else row.lacking


async def _newest(s: TenantSession) -> SlackInstallRow | None:
    rows = await s.all(select(SlackInstallRow).order_by(SlackInstallRow.installed_at.desc()).limit(1))
    return rows[0] if rows else None
