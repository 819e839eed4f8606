"""From telemetry to ranked suspects, or to "nothing abnormal": the one entry, whatever was recorded.

Where callers measure their calls themselves, those say best who waited for whom. Without that, the incident is searched
for in any indicators, spans and log lines; where requests are counted, they say whether it is only more load than
usual, and have the word where nothing else is plain.
"""

from agents.evidence.ranking.bounds import bound
from agents.evidence.ranking.measured_calls import REQUESTS, rank_by_calls
from agents.evidence.ranking.suspects import rank_suspects
from agents.evidence.types import Ranking, Telemetry


def rank_causes(telemetry: Telemetry) -> Ranking:
    """Rank suspects, best first. `quiet` when nothing stands out of the data's own noise."""
    telemetry = bound(telemetry)
    if any(series.peer is not None for series in telemetry.series):
        return rank_by_calls(telemetry)
    found = rank_suspects(telemetry)
    if not any(series.indicator == REQUESTS for series in telemetry.series):
        return found
    is_named = bool(found.causes) and found.causes[0].confidence != "low"
    by_requests = rank_by_calls(telemetry)
    is_load = bool(by_requests.causes) and by_requests.causes[0].family == "traffic"
    return by_requests if is_load or (by_requests.causes and not is_named) else found
