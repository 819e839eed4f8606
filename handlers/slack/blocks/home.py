"""The Home tab: what is open, what waits for a decision, which integrations work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Json, actions, button, context, sections
from handlers.slack.blocks.status import life_words, state_words
from handlers.slack.visibility import ASKED_IN_VAIN
from store.incidents import Incident
from store.incidents.approvals import Approval

MOST_LISTED: Final = 15


@dataclass(frozen=True, kw_only=True)
class Integration:
    """`healthy` is None where it could not be checked; `next_action` says what to do when it does not work."""

    title: str
    healthy: bool | None
    detail: str = ""
    next_action: str = ""
    silent: str = ""
    """That it answers and tells nothing, in words."""


@dataclass(frozen=True, kw_only=True)
class Home:
    incidents: Sequence[Incident]
    approvals: Sequence[Approval]
    integrations: Sequence[Integration]
    connectable: Sequence[tuple[str, str]] = ()
    """Name and title of what this person may connect."""
    questions: int = 0
    """Names that came up and nobody has said what they are."""
    lacking: str = ""
    """Mrkdwn: what the installation of the app lacks, and what to do."""
    policy: Sequence[str] = ()
    """Mrkdwn: what may be done without a click."""
    undelivered: Sequence[str] = ()
    """Mrkdwn: what could not be posted where it belongs."""
    asked_in_vain: bool = False
    """Of some channels Slack did not say who may see them, so more may be open than is shown."""
    now: datetime


def home(view: Home) -> Json:
    """A view of type `home`."""
    blocks = [
        *_part(
            "Open incidents",
            [_incident(one, view.now) for one in view.incidents],
            "None is listed." if view.asked_in_vain else "None. Mention me where something breaks.",
        ),
        *_part(
            "Waiting for a decision or being checked",
            [_approval(one) for one in view.approvals],
            "Nothing is listed." if view.asked_in_vain else "Nothing.",
        ),
        *(_part("Could not be posted in its thread", view.undelivered, "") if view.undelivered else ()),
        *(context(ASKED_IN_VAIN) if view.asked_in_vain else ()),
        *(_part("The app in this workspace", [view.lacking], "") if view.lacking else ()),
        *(_part("Without a click", view.policy, "") if view.policy else ()),
        *_part("Integrations", [_integration(one) for one in view.integrations], "None is connected."),
        *actions(*(button(f"connect:{name}", f"Connect {title}", name) for name, title in view.connectable)),
        *(context(_asked(view.questions)) if view.questions else ()),
    ]
    return {"type": "home", "blocks": blocks}


def _part(title: str, lines: Sequence[str], nothing: str) -> list[Json]:
    shown = [f"• {line}" for line in lines[:MOST_LISTED]]
    if len(lines) > MOST_LISTED:
        shown.append(f"• and {len(lines) - MOST_LISTED} more")
    return [{"type": "header", "text": {"type": "plain_text", "text": title}}, *sections("\n".join(shown) or nothing)]


def _asked(questions: int) -> str:
    return f"{t.plural(questions, 'name')} came up that I do not know: `/autoheal services` asks about them."


def _incident(incident: Incident, now: datetime) -> str:
    subject = t.prose(incident.service or incident.title, 120)
    where = f" in <#{incident.channel_id}>" if incident.channel_id.isalnum() else ""
    return f"*#{incident.number}* {subject}: {life_words(incident, now)}{where}"


def _approval(approval: Approval) -> str:
    name = t.prose(approval.remediation.replace("_", " "), 60)
    until = f", open until {t.day_minute(approval.expires_at)}" if approval.decided_at is None else ""
    return f"{name} of *{t.prose(approval.target, 60)}* ({approval.risk} risk): {state_words(approval)}{until}"


def _integration(integration: Integration) -> str:
    health = {True: "ok", False: "*does not work*", None: "*could not be checked*"}[integration.healthy]
    detail = f": {t.prose(integration.detail, 160)}" if integration.detail else ""
    todo = f" {t.prose(integration.next_action, 200)}" if integration.next_action and not integration.healthy else ""
    silent = f" *{integration.silent}*" if integration.silent else ""
    return f"*{t.prose(integration.title, 60)}*: {health}{detail.replace(': ', ', ', 1)}{todo}{silent}"
