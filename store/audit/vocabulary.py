"""The closed vocabulary of what is recorded: names of audited actions, and types of events. Nothing else is stored.

An action is `source.subject.verb`, as in `slack.approval.approved`; an event is `ai.autoheal.<noun>.<verb>.v1`. A new
word is added here; what it means is in docs/operating.md.
"""

from typing import Final

SOURCES: Final = frozenset({"slack", "agent", "system", "operator", "api", "web", "mail", "webhook", "mcp"})
"""Where an action comes from. `web` is a person's browser session, `api` a token of the API, `webhook` another system's
delivery, `mcp` a token that a coding agent holds."""

ACTIONS: Final[dict[str, frozenset[str]]] = {
    # Tenants, their keys and their data
    "tenant": frozenset({"created", "frozen", "restored", "closing", "closed"}),
    "key": frozenset({"created", "rotated", "rewrapped", "shredded"}),
    "app": frozenset({"installed", "uninstalled"}),
    "settings": frozenset({"changed"}),
    "policy": frozenset({"changed", "paused", "resumed"}),
    "backup": frozenset({"created", "restored", "expired"}),
    "export": frozenset({"requested", "created", "downloaded", "refused", "expired"}),
    "audit": frozenset({"verified", "exported", "pruned"}),
    "events": frozenset({"exported"}),
    "verification": frozenset({"started", "finished", "attested"}),
    # People
    "user": frozenset({"added", "changed", "removed"}),
    "role": frozenset({"granted", "refused"}),
    "account": frozenset({"created", "changed", "password_changed", "linked", "disabled", "deleted"}),
    "invitation": frozenset({"created", "accepted", "revoked", "refused", "expired"}),
    "login": frozenset({"succeeded", "refused"}),
    "session": frozenset({"started", "ended", "revoked", "expired"}),
    "token": frozenset({"created", "revoked", "refused", "expired"}),
    "mail": frozenset({"sent", "failed", "opted_out", "opted_in"}),
    "profile": frozenset({"read"}),
    # What arrives and what is refused
    "request": frozenset({"refused"}),
    "access": frozenset({"refused"}),
    "mention": frozenset({"received", "refused"}),
    "command": frozenset({"used", "refused"}),
    "connection": frozenset({"added", "changed", "removed", "checked", "revoked", "failed"}),
    "service": frozenset({"discovered", "changed", "dismissed"}),
    "alert": frozenset({"raised", "told"}),
    "webhook": frozenset({"created", "changed", "rotated", "removed", "confirmed", "refused", "silent"}),
    "alert_group": frozenset({"opened", "resolved", "reopened", "ignored", "offered"}),
    "alert_rules": frozenset({"changed"}),
    # The work
    "incident": frozenset({"opened", "mitigated", "resolved", "reopened", "renamed", "retargeted"}),
    "investigation": frozenset(
        {"requested", "started", "steered", "stop_requested", "concluded", "stopped", "failed", "resumed"}
    ),
    "model": frozenset({"called", "fell_back"}),
    "tool": frozenset({"called", "refused"}),
    "approval": frozenset(
        {"proposed", "approved", "rejected", "refused", "expired", "replanned", "superseded", "cancelled"}
    ),
    "prohibition": frozenset({"stated", "lifted"}),
    "effect": frozenset({"started", "finished", "unknown", "verified", "refused"}),
    "undo": frozenset({"requested"}),
    "feedback": frozenset({"given"}),
    "verdict": frozenset({"published"}),
}
"""What an audited action is about, and what happened to it.

`login.refused`, `token.refused`, `request.refused` and `access.refused` name their `reason` in the details; the
target of a refused login is the account's id, or `unknown`. `access.refused`: what was asked for is not the caller's.
"""

EVENTS: Final[dict[str, frozenset[str]]] = {
    "tenant": frozenset({"created", "frozen", "restored", "closing", "closed"}),
    "key": frozenset({"rotated", "shredded"}),
    "app": frozenset({"installed", "uninstalled"}),
    "backup": frozenset({"created", "restored", "expired"}),
    "export": frozenset({"created", "downloaded"}),
    "verification": frozenset({"finished", "failed"}),
    "user": frozenset({"added", "removed", "role_changed"}),
    "account": frozenset({"created", "deleted"}),
    "invitation": frozenset({"created", "accepted", "revoked"}),
    "login": frozenset({"succeeded", "refused"}),
    "session": frozenset({"started", "ended", "revoked"}),
    "token": frozenset({"created", "revoked"}),
    "connection": frozenset({"added", "removed", "failed"}),
    "mention": frozenset({"received", "refused"}),
    "command": frozenset({"used"}),
    "alert": frozenset({"raised"}),
    "webhook": frozenset({"created", "rotated", "removed", "refused"}),
    "alert_group": frozenset({"opened", "resolved", "reopened"}),
    "incident": frozenset({"opened", "mitigated", "resolved", "reopened"}),
    "investigation": frozenset({"queued", "started", "steered", "concluded", "stopped", "failed"}),
    "tool": frozenset({"called", "failed"}),
    "model": frozenset({"called", "fell_back"}),
    "approval": frozenset({"proposed", "approved", "rejected", "expired", "replanned", "cancelled", "superseded"}),
    "remediation": frozenset(
        {"started", "applied", "healed", "done", "not_healed", "unknown", "failed", "undone"}
        | {"held", "came_back", "not_measured"}
    ),
    "feedback": frozenset({"given"}),
}
"""All nouns of events with their verbs."""


def check_action(action: str) -> None:
    """Raises ValueError for an action that is not in the vocabulary."""
    source, _, rest = action.partition(".")
    subject, _, verb = rest.partition(".")
    if source not in SOURCES or verb not in ACTIONS.get(subject, frozenset()):
        raise ValueError(f"{action!r} is not in the audit vocabulary (store/audit/vocabulary.py)")


def check_event_type(event_type: str) -> None:
    """Raises ValueError for a type that is not in the vocabulary."""
    parts = event_type.split(".")
    if (
        len(parts) != 5
        or (parts[0], parts[1], parts[4]) != ("ai", "autoheal", "v1")
        or parts[3] not in EVENTS.get(parts[2], frozenset())
    ):
        raise ValueError(f"{event_type!r} is not in the event vocabulary (store/audit/vocabulary.py)")
