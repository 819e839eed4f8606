"""What an installation of the app lacks, in words, and the one link by which it is installed again.

An installation keeps the scopes and events of its day: a newer manifest reaches it only when somebody installs it anew.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from store.tenancy.lacking import AGENT_SESSIONS, STOP_BUTTON

_WORDS: Final = {
    AGENT_SESSIONS: "Slack refuses agent sessions, so a thread does not show what is being done in it",
    STOP_BUTTON: "Slack's own Stop button stops nothing, because the event agent_session_stopped is missing",
}


def lacking_words(lacking: Collection[str], *, scopes: Collection[str] = (), wanted: Collection[str] = ()) -> str:
    """A sentence without its end, or nothing. `scopes` are those that were granted, `wanted` those of the manifest."""
    missing = sorted(set(wanted) - set(scopes))
    told = [f"Slack did not grant {', '.join(missing)}"] if missing else []
    return "; ".join(told + [_WORDS[one] for one in sorted(lacking) if one in _WORDS])


def reinstall_words(install: str) -> str:
    """What to do. `install` says where the app is installed again."""
    return f"Bring the app's manifest to the one of `autoheal setup`, then {install}."


def install_link(app_id: str, install_url: str | None) -> str:
    """Where the app is installed again: our page where workspaces do so themselves, else Slack's page of the app."""
    of_app = f"https://api.slack.com/apps/{app_id}/install-on-team" if app_id else "https://api.slack.com/apps"
    return install_url or of_app
