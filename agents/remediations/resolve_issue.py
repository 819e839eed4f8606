"""Marks an issue of an error tracker as resolved, once the error is over. It cures nothing.

An error that comes back opens its issue again by itself, as a regression: nothing is hidden for good. Undo opens it
again at once.
"""

from __future__ import annotations

from agents.remediation.tracked import TrackedArguments, TrackedRemediation
from agents.tool import Risk


class ResolveIssueOne(TrackedArguments):
    """`item` is an issue's id or its short id, as `SHOP-7`."""


class ResolveIssue(TrackedRemediation):
    name = "resolve_issue"
    title = "Resolve an issue"
    risk = Risk.LOW
    arguments = ResolveIssueOne
    when = (
        "when an error that an error tracker keeps as an issue was measured to be over; name the issue. It cures "
        "nothing, so it is never the remedy of a cause"
    )
    ready = "Resolution ready."
    kind = "issue"
    verb = "resolve"
    wanted = "resolved"
    interruption = "none: the tracker opens it again by itself, and tells so, when the error comes back"
    way_back = "unresolve_issue"
    way_back_verb = "Reopen"
    way_back_state = "unresolved"
    returned = "whoever watches unresolved issues sees it again"


REMEDIATION = ResolveIssue()
