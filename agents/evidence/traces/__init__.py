"""What distributed traces tell of an incident: see `suspects`."""

from agents.evidence.traces.suspects import trace_suspicions

__all__ = ["trace_suspicions"]
