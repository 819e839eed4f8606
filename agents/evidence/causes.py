"""From telemetry to ranked suspects, or to "nothing abnormal": the one entry, whatever was recorded.

Where callers measure their calls themselves, those say best who waited for whom. Without that, the incident is searched
for in any indicators, spans and log lines.
"""

from agents.evidence.bounds import bound
from agents.evidence.measured_calls import rank_by_calls
from agents.evidence.suspects import rank_suspects
from agents.evidence.types import Ranking, Telemetry


def rank_causes(telemetry: Telemetry) -> Ranking:
    """Rank suspects, best first. `quiet` when nothing stands out of the data's own noise."""
    telemetry = bound(telemetry)
    if any(series.peer is not None for series in telemetry.series):
        return rank_by_calls(telemetry)
    return rank_suspects(telemetry)
