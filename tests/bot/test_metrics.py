"""What a scrape reads."""

from bot.metrics import Backlog, Metrics


async def _backlog() -> Backlog:
    return Backlog(queued=3, relay_lag_s=1.5)


async def test_work_is_counted_by_names_from_code_alone() -> None:
    metrics = Metrics()
    metrics.workflow_ended("investigate", "concluded", 12.0)
    metrics.workflow_ended("acme-workflow", "whatever a step said", 1.0)
    metrics.verdict_stored("high", 12.0)
    metrics.tool_called("prometheus", "ok")
    metrics.tool_called("tenant-acme", "error")
    metrics.model_called("claude-sonnet-5-5", input_tokens=100, output_tokens=10, cost_usd=0.02)
    metrics.acknowledged(0.004)
    metrics.mail_ended("sent")
    text = (await metrics.text(_backlog)).decode()
    for line in (
        'autoheal_workflow_runs_total{outcome="concluded",workflow="investigate"} 1.0',
        'autoheal_workflow_runs_total{outcome="other",workflow="other"} 1.0',
        'autoheal_workflow_seconds_count{workflow="investigate"} 1.0',
        'autoheal_verdict_seconds_count{confidence="high"} 1.0',
        'autoheal_tool_calls_total{connector="prometheus",outcome="ok"} 1.0',
        'autoheal_tool_calls_total{connector="other",outcome="error"} 1.0',
        'autoheal_model_tokens_total{direction="input",model="claude"} 100.0',
        'autoheal_model_cost_usd_total{model="claude"} 0.02',
        'autoheal_ack_seconds_bucket{le="0.005"} 1.0',
        "autoheal_queued 3.0",
        "autoheal_event_relay_lag_seconds 1.5",
    ):
        assert line in text, line
    assert "acme" not in text
    assert "step said" not in text
