"""Closes an incident at its tracker, with the alerts in it, once what it was about is over. It cures nothing.

Whether that is so is for whoever approves it: the plan says how many of its alerts are still triggered. Monitoring that
still finds it bad opens another incident. Undo opens this one again, which pages whoever is on call.
"""

from __future__ import annotations

from agents.remediation.tracked import TrackedArguments, TrackedRemediation
from agents.tool import Risk


class ResolveOne(TrackedArguments):
    """`item` is an incident's id or its number, as `#71`."""


class ResolveIncident(TrackedRemediation):
    name = "resolve_incident"
    title = "Resolve an incident"
    risk = Risk.MEDIUM
    arguments = ResolveOne
    when = (
        "when what an incident is about was measured to be over and it is still open; it cures nothing, so it is never "
        "the remedy of a cause"
    )
    ready = "Resolution ready."
    kind = "incident"
    verb = "resolve"
    wanted = "resolved"
    interruption = "nobody is paged about it any more, and alerts in it that are still triggered are resolved with it"
    way_back = "reopen_incident"
    way_back_verb = "Reopen"
    way_back_state = "triggered"
    returned = "whoever is on call by its escalation policy is paged about it again"


REMEDIATION = ResolveIncident()
