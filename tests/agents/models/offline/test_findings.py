"""What is taken from the rows of a ranking."""

from agents.models.offline.findings import ranking_of
from agents.rows import Moved, Row, Suspect

RANKED: tuple[Row, ...] = (
    Suspect(service="payments", place=1, family="latency", score=20.79, confidence="medium"),
    Moved(
        service="payments",
        indicator="trace:self POST /charge",
        unit="s",
        before=0.02,
        now=0.5,
        role="trace",
        suspect=1,
    ),
    Moved(service="payments", indicator="latency p95", unit="s", before=0.025, now=0.45, suspect=1),
    Moved(service="other", indicator="latency p95", unit="s", before=0.025, now=0.45, suspect=2),
)


def test_what_traces_measured_counts_like_a_metric() -> None:
    (suspect,) = ranking_of(RANKED).suspects
    assert [(m.indicator, m.before, m.now) for m in suspect.metrics] == [
        ("trace:self POST /charge", "20ms", "500ms"),
        ("latency p95", "25ms", "450ms"),
    ]
