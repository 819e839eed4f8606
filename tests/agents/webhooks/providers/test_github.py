"""GitHub: what changes a system, what is a ticket, and what is neither."""

from typing import Any

import pytest

from agents.webhooks import Normalised
from agents.webhooks.providers.github import PROVIDER

REPOSITORY = {"full_name": "acme/shop", "html_url": "https://github.com/acme/shop", "pushed_at": 1772625600}
SHA, ZEROS = "a" * 40, "0" * 40


def read(event: str, action: str = "", **body: Any) -> Normalised:
    whole = {"action": action, "repository": REPOSITORY, "sender": {"login": "mia"}, **body}
    return PROVIDER.normalise(whole, {"X-GitHub-Event": event})


def test_a_pull_request_is_a_change_once_it_is_merged() -> None:
    pull = {
        "id": 5,
        "title": "Cut the pool",
        "html_url": "https://github.com/acme/shop/pull/5",
        "updated_at": "2026-05-01T10:00:00Z",
    }
    assert read("pull_request", "closed", pull_request={**pull, "merged": False}).kind == "other"
    merged = {
        **pull,
        "merged": True,
        "merged_at": "2026-05-01T10:00:00Z",
        "merge_commit_sha": SHA,
        "merged_by": {"login": "bo"},
    }
    found = read("pull_request", "closed", pull_request=merged)
    assert found.kind == "change"
    assert found.change is not None
    assert (found.change.kind, found.change.author, found.change.version) == ("merge", "bo", SHA)
    assert read("pull_request", "labeled", pull_request=merged).kind == "other", "it was merged before"


def test_a_deployment_and_its_status_are_one_thing() -> None:
    deployment = {"id": 8, "sha": SHA, "ref": "main", "environment": "production", "created_at": "2026-05-01T10:00:00Z"}
    status = {"state": "failure", "log_url": "https://ci.example/1", "created_at": "2026-05-01T10:05:00Z"}
    one, two = (
        read("deployment", "created", deployment=deployment),
        read("deployment_status", "created", deployment=deployment, deployment_status=status),
    )
    assert one.key == two.key
    assert two.change is not None
    assert (two.environment, two.change.outcome, two.source_url) == ("production", "failure", "https://ci.example/1")


def test_a_push_that_deletes_has_no_commit() -> None:
    found = read(
        "push",
        ref="refs/tags/v1",
        before=SHA,
        after=ZEROS,
        deleted=True,
        head_commit=None,
        compare="https://github.com/c",
    )
    assert (found.kind, found.key, found.source_url) == ("change", f"github:{SHA}", "https://github.com/c")
    assert "v1 deleted" in found.title


def test_a_run_may_be_completed_and_still_queued() -> None:
    run = {
        "id": 3,
        "name": "Deploy",
        "status": "queued",
        "conclusion": None,
        "head_sha": SHA,
        "updated_at": "2026-05-01T10:00:00Z",
    }
    found = read("workflow_run", "completed", workflow_run=run)
    assert (found.kind, found.status) == ("change", "info")
    job = read("workflow_job", "completed", workflow_job={"id": 4, "name": "lint", "conclusion": "failure"})
    assert (job.kind, job.status) == ("other", "info")


@pytest.mark.parametrize(
    ("action", "state", "status"),
    [("closed", "closed", "resolved"), ("reopened", "open", "info"), ("opened", "open", "info")],
)
def test_an_issue_is_a_ticket(action: str, state: str, status: str) -> None:
    found = read("issues", action, issue={"id": 1, "title": "Typo", "state": state})
    assert (found.kind, found.status, found.service) == ("ticket", status, None)
    comment = read(
        "issue_comment",
        "created",
        issue={"id": 1, "title": "T", "state": "closed", "pull_request": {"url": "x"}},
        comment={"body": "b"},
    )
    assert comment.status == "info", "a comment on a pull request ends nothing"


@pytest.mark.parametrize(
    ("event", "action", "alert", "status", "severity"),
    [
        (
            "code_scanning_alert",
            "created",
            {"number": 1, "rule": {"description": "SQL", "security_severity_level": "high"}},
            "firing",
            "high",
        ),
        (
            "code_scanning_alert",
            "fixed",
            {"number": 1, "rule": {"description": "SQL", "severity": "warning"}},
            "resolved",
            "warning",
        ),
        (
            "dependabot_alert",
            "created",
            {"number": 2, "security_advisory": {"summary": "RCE", "severity": "critical"}},
            "firing",
            "critical",
        ),
        ("secret_scanning_alert", "resolved", {"number": 3, "secret_type": "key"}, "resolved", "unknown"),
    ],
)
def test_what_github_finds_itself_is_an_alert(
    event: str, action: str, alert: dict[str, Any], status: str, severity: str
) -> None:
    found = read(event, action, alert=alert)
    assert (found.kind, found.status, found.severity) == ("alert", status, severity)


def test_everything_else_is_news_with_a_title() -> None:
    for event in ("ping", "star", "member", "team_add", "discussion", "an_event_of_next_year"):
        found = read(event, "created", zen="Keep it simple")
        assert (found.kind, found.status) == ("other", "info")
        assert event.replace("_", " ") in found.title
    release = read(
        "release",
        "published",
        release={"id": 1, "tag_name": "v2", "name": None, "published_at": "2026-05-01T10:00:00Z"},
    )
    assert release.kind == "change"
    assert "v2" in release.title
