"""Says at the tracker that somebody works on an incident, so that it escalates to nobody else. It cures nothing.

It is acknowledged in the name of the user that the connection names. What took it up stays on record, and PagerDuty
documents no way to take it back: where the service has a time-out for it, the incident rings again by itself.
"""

from __future__ import annotations

from agents.remediation.tracked import TrackedArguments, TrackedRemediation
from agents.tool import Risk


class AcknowledgeOne(TrackedArguments):
    """`item` is an incident's id or its number, as `#71`."""


class AcknowledgeIncident(TrackedRemediation):
    name = "acknowledge_incident"
    title = "Acknowledge an incident"
    risk = Risk.LOW
    arguments = AcknowledgeOne
    when = (
        "when an incident keeps paging people although somebody works on its cause already; it cures nothing, so it is "
        "never the remedy of a cause that another one here can clear"
    )
    ready = "Acknowledgement ready."
    kind = "incident"
    verb = "acknowledge"
    wanted = "acknowledged"
    interruption = (
        "it pages and escalates to nobody until the service's time-out for it, if there is one; users notice nothing"
    )
    no_way_back = (
        "An acknowledgement cannot be taken back: it ends at the service's time-out, or when somebody reassigns it"
    )


REMEDIATION = AcknowledgeIncident()
