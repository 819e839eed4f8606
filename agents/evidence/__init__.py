"""From telemetry to evidence: onset, ranked anomalies, log patterns, changes, suspects. Pure; numpy only."""
