"""What is read back from the engine's tables."""

from agents.offline_model.findings import read_ranking

RANKING = """onset 11:59:00 UTC (+-5s), score 19.8
symptom: payments,trace:self POST /charge,20ms->500ms,x25,z=20.8,-
1. payments [latency] score=20.79 confidence=medium
  trace: payments,trace:self POST /charge,20ms->500ms,x25,z=20.8,-
  metric: payments,latency p95,25ms->450ms,x18,z=12.1,11:59:00"""


def test_what_traces_measured_counts_like_a_metric() -> None:
    (suspect,) = read_ranking(RANKING).suspects
    assert [(m.indicator, m.before, m.now) for m in suspect.metrics] == [
        ("trace:self POST /charge", "20ms", "500ms"),
        ("latency p95", "25ms", "450ms"),
    ]
