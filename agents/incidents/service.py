"""All that a person can ask of the agent, whichever way the request came in.

Handlers translate a mention, command or click into one call here. Each call checks the permission, writes the decision
with its audit row in one transaction, then enqueues durable work under a deterministic id. Each subject stands in a
module of its own: `investigating`, `deciding`, `ending`, `proposing`.
"""

from agents.incidents.deciding import ProposalRequests
from agents.incidents.ending import EndingRequests
from agents.incidents.proposing import RemedyRequests


class IncidentService(EndingRequests, ProposalRequests, RemedyRequests):
    """What handlers call."""
