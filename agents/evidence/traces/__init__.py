"""What distributed traces tell of an incident: see `suspects`."""

from agents.evidence.traces.breakdown import TimePart, TraceBreakdown, trace_breakdown
from agents.evidence.traces.suspects import trace_suspicions

__all__ = ["TimePart", "TraceBreakdown", "trace_breakdown", "trace_suspicions"]
