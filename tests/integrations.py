"""The page docs/integrations.md: what each of the thirteen tools gives, from the connectors themselves, and what it was
tried against. `python -m tests.integrations` writes it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agents.connecting.active_alerts import AlertSource
from agents.connecting.connector import (
    ChangeSource,
    Connector,
    LogSource,
    MetricSource,
    TraceSource,
    discover_connectors,
)
from agents.connecting.source_code import CodeSource
from agents.webhooks import discover_providers

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "integrations.md"


@dataclass(frozen=True, kw_only=True)
class Integration:
    """One tool as people name it. `tests` are where it was tried, `against` says against what."""

    name: str
    connectors: tuple[str, ...]
    webhooks: tuple[str, ...] = ()
    remediations: tuple[str, ...] = ()
    against: str
    tests: tuple[str, ...]


_IN: Final = "tests/agents/connecting/connectors"
INTEGRATIONS: Final = (
    Integration(
        name="Slack",
        connectors=(),
        against="a local workspace, stricter than Slack by its documents; the real Slack was not tried",
        tests=("tests/handlers/slack/test_button.py",),
    ),
    Integration(
        name="GitHub",
        connectors=("github",),
        webhooks=("github",),
        remediations=(
            "rollback_deployment",
            "rerun_workflow",
            "dispatch_workflow",
            "revert_pull_request",
            "propose_fix",
        ),
        against="a strict local server; every question and answer is held against GitHub's published description",
        tests=(f"{_IN}/github",),
    ),
    Integration(
        name="GitLab",
        connectors=("gitlab",),
        webhooks=("gitlab",),
        remediations=("retry_job", "revert_merge_request", "propose_fix"),
        against="a strict local server by GitLab's documents, over TLS with an authority of its own too",
        tests=(f"{_IN}/test_gitlab.py",),
    ),
    Integration(
        name="PagerDuty",
        connectors=("pagerduty",),
        webhooks=("pagerduty",),
        remediations=("acknowledge_incident", "resolve_incident"),
        against="a strict local server; questions are held against PagerDuty's published description",
        tests=(f"{_IN}/test_pagerduty.py",),
    ),
    Integration(
        name="Jira",
        connectors=("jira",),
        webhooks=("jira",),
        remediations=("create_ticket", "comment_ticket"),
        against="a strict local server; questions are held against Jira's published description",
        tests=(f"{_IN}/test_jira.py",),
    ),
    Integration(
        name="Datadog",
        connectors=("datadog",),
        webhooks=("datadog",),
        remediations=("mute_monitor",),
        against="a strict local server; every question and answer is held against Datadog's published descriptions",
        tests=(f"{_IN}/test_datadog.py",),
    ),
    Integration(
        name="Grafana",
        connectors=("grafana",),
        webhooks=("grafana",),
        against="a strict local server by Grafana's documents",
        tests=(f"{_IN}/test_grafana.py",),
    ),
    Integration(
        name="Prometheus, Alertmanager",
        connectors=("prometheus", "alertmanager"),
        webhooks=("alertmanager",),
        remediations=("silence_alert",),
        against="strict local servers, Alertmanager's questions held against its published description; real ones "
        "where they are installed",
        tests=(f"{_IN}/test_prometheus.py", f"{_IN}/test_alertmanager.py"),
    ),
    Integration(
        name="Loki",
        connectors=("loki",),
        against="a strict local server by Loki's documents",
        tests=(f"{_IN}/test_loki.py",),
    ),
    Integration(
        name="Tempo",
        connectors=("tempo",),
        against="a strict local server by Tempo's documents",
        tests=(f"{_IN}/test_tempo.py",),
    ),
    Integration(
        name="Sentry",
        connectors=("sentry",),
        webhooks=("sentry",),
        remediations=("resolve_issue",),
        against="a strict local server; questions are held against Sentry's published description",
        tests=(f"{_IN}/test_sentry.py",),
    ),
    Integration(
        name="AWS CloudWatch, ECS",
        connectors=("aws",),
        webhooks=("cloudwatch_sns",),
        remediations=("ecs_update_service",),
        against="a strict local AWS that holds every question and answer to AWS' own shapes; moto for metrics and ECS",
        tests=(f"{_IN}/test_aws.py",),
    ),
    Integration(
        name="Kubernetes",
        connectors=("kubernetes",),
        remediations=("restart_workload", "scale_workload", "undo_rollout"),
        against="a strict local API server, held against Kubernetes' published description; `kubectl` talks to it too",
        tests=(f"{_IN}/kubernetes/test_kubernetes.py",),
    ),
)
_SOURCES: Final[Mapping[str, type]] = {
    "metrics": MetricSource,
    "logs": LogSource,
    "traces": TraceSource,
    "changes": ChangeSource,
    "alerts": AlertSource,
    "code": CodeSource,
}


def sources_of(kind: type[Connector]) -> list[str]:
    """What it feeds, read off its class."""
    return [name for name, protocol in _SOURCES.items() if issubclass(kind, protocol)]


def tools_named(kind: type[Connector]) -> list[str]:
    """Its own tools, read off its class; those that several kinds share stand elsewhere."""
    marked = [getattr(member, "__autoheal_tool__", None) for member in vars(kind).values()]
    return sorted(mark[2] for mark in marked if mark is not None)


def page() -> str:
    known, hooks = discover_connectors(), discover_providers()
    rows = []
    for one in INTEGRATIONS:
        kinds = [known[name] for name in one.connectors]
        sources = dict.fromkeys(source for kind in kinds for source in sources_of(kind))
        tools = [f"`{name}`" for kind in kinds for name in tools_named(kind)]
        webhooks = ", ".join(hooks[name].title for name in one.webhooks)
        actions = ", ".join(f"`{name}`" for name in one.remediations)
        cells = (one.name, ", ".join(sources), ", ".join(tools), webhooks, actions, one.against)
        rows.append("| " + " | ".join(cell or "-" for cell in cells) + " |")
    head = (
        "Tool",
        "Feeds the evidence with",
        "Tools for the model",
        "Webhooks",
        "May be done, once approved",
        "Tried against",
    )
    return "\n".join(
        [
            "# Integrations",
            "",
            "What each tool gives, as its connector says, and what it was tried against. No vendor's own service was",
            "tried: that needs an account. A test holds this page to the connectors; `python -m tests.integrations`",
            "writes it anew. How each is connected stands in [operating](operating.md).",
            "",
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
