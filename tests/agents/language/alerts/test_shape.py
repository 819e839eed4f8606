import pytest

from agents.language.alerts import read_alert

SHOP = ("checkout", "payments")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("firing", "[FIRING:1] HighErrorRate (payments critical prod)"),
        ("firing", "[FIRING:2, RESOLVED:1] HighErrorRate (payments)"),
        ("firing", "*Triggered: [P1] High error rate on {service:payments}*"),
        ("firing", ":rotating_light: CloudWatch Alarm | payments-5xx | ALARM"),
        ("firing", "PROBLEM: disk full on db1\nThe previous problem was resolved by mia"),
        ("firing", "payments: name could not be resolved"),
        ("firing", "payments: connection closed unexpectedly"),
        ("firing", "Deployment of payments failed"),
        ("firing", "Heartbeat of payments-cron missed"),
        ("firing", "Monitor is DOWN: payments"),
        ("firing", "payments is slow"),
        ("firing", "Error rate 9 %\nThis page is sent until the alert is resolved"),
        ("firing", "Status: OPEN\nService: payments"),
        ("resolved", "[RESOLVED] HighErrorRate (payments critical prod)"),
        ("resolved", "Recovered: [P1] High error rate on {service:payments}"),
        ("resolved", ":white_check_mark: *CloudWatch Alarm | payments-5xx | OK*"),
        ("resolved", 'OK: "payments-5xx" in EU (Ireland)'),
        ("resolved", "Resolved incident #42 on payments by raj"),
        ("resolved", "Incident #42 has been resolved"),
        ("resolved", "Alert #42 payments closed"),
        ("resolved", "Monitor is UP: payments (https://payments.example.com)"),
        ("resolved", "payments is back up"),
        ("resolved", "\u2705 payments is healthy again"),
        ("resolved", "State: OK\nService: payments"),
        ("acknowledged", "Acknowledged incident #42 by raj"),
        ("acknowledged", "mia acknowledged the incident on payments"),
        ("acknowledged", "Incident #42 was assigned to raj"),
        ("acknowledged", "Snoozed alert payments for 1 h"),
        ("digest", "Your weekly alert digest: 14 alerts"),
        ("digest", "Daily alert summary: 4 fired, 4 resolved"),
        ("digest", "On-call for shop is now <@U1>"),
        ("heartbeat", "[FIRING:1] Watchdog (none)\nensures that the entire alerting pipeline is functional"),
        ("heartbeat", "[FIRING:1] DeadMansSwitch"),
        ("heartbeat", "This is a test notification from Grafana"),
        ("news", "raj merged pull request #1 bump deps"),
        ("news", "mia pushed 2 commits to main"),
        ("news", "Build #12 of payments passed"),
        ("news", "Deployment of payments to production succeeded"),
    ],
)
def test_what_a_tool_tells_is_told_apart(kind: str, text: str) -> None:
    assert read_alert(text, SHOP).kind == kind


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("[FIRING:1] HighLatency (payments critical)", "payments"),
        ("High latency\nservice: payments\nupstream checkout", "payments"),
        ("High latency\n*Service*\npayments", "payments"),
        ("eu-payments-nlb-unhealthy ALARM", "payments"),
        ("checkout waits for payments", None),
        ("db1 is full", None),
    ],
)
def test_the_service_is_that_of_the_label_or_the_only_one_named(text: str, service: str | None) -> None:
    assert read_alert(text, SHOP).service == service


def test_the_same_alert_is_known_by_its_service_or_its_name() -> None:
    first, again = (read_alert(f"[FIRING:{n}] DiskFull (db1)\nused {90 + n} %", SHOP) for n in (1, 2))
    assert first.identity == again.identity
    assert first.identity != read_alert("[FIRING:1] ReplicaLag (db1)", SHOP).identity
    storm = {read_alert(f"[FIRING:1] {name} (payments)", SHOP).identity for name in ("HighLatency", "CrashLoop")}
    assert storm == {"service:payments"}
