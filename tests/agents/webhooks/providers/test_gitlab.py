"""GitLab: the two ways to sign, changes, tickets, and times of three notations."""

from typing import Any

from agents.webhooks import Normalised, Refusal, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.providers.gitlab import PROVIDER

PROJECT = {"path_with_namespace": "acme/shop", "web_url": "https://gitlab.example/acme/shop"}


def read(kind: str, about: dict[str, Any] | None = None, **body: Any) -> Normalised:
    whole = {
        "object_kind": kind,
        "project": PROJECT,
        "user": {"username": "mia"},
        "object_attributes": about or {},
        **body,
    }
    return PROVIDER.normalise(whole, {"X-Gitlab-Event": f"{kind} Hook"})


def test_the_plain_token_is_no_way_around_a_signing_token() -> None:
    headers = Headers({"X-Gitlab-Token": "plain"})
    given: dict[str, Any] = {"now": 0, "certificates": {}}
    assert PROVIDER.verify(b"{}", headers, secrets=["plain"], config={}, **given) == Verified(None)
    signing = PROVIDER.new_secret()
    assert signing is not None
    assert PROVIDER.verify(b"{}", headers, secrets=[signing, "plain"], config={}, **given) == Refusal("no_signature")


def test_changes_and_their_authors() -> None:
    merged = read(
        "merge_request",
        {"id": 1, "iid": 4, "title": "Cut", "state": "merged", "action": "merge", "url": "https://g.example/4"},
    )
    opened = read("merge_request", {"id": 1, "title": "Cut", "state": "opened", "action": "open"})
    assert (merged.kind, opened.kind, merged.key == opened.key) == ("change", "other", True)
    flag = read("feature_flag", {"id": 6, "name": "new-cart", "active": True})
    assert flag.change is not None
    assert (flag.change.kind, flag.change.version, flag.change.outcome, flag.change.author) == (
        "flag",
        "new-cart",
        "on",
        "mia",
    )
    deployed = read(
        "deployment",
        status="failed",
        deployment_id=3,
        environment="prod",
        status_changed_at="2026-05-01 10:00:00 +0200",
    )
    assert (deployed.kind, deployed.environment) == ("change", "prod")
    assert deployed.occurred_at is not None
    assert deployed.occurred_at.hour == 8
    gone = read("push", ref="refs/heads/x", before="a" * 40, after="0" * 40)
    assert gone.key == f"gitlab:{'a' * 40}"


def test_an_issue_is_a_ticket_with_a_severity() -> None:
    closed = read(
        "issue",
        {"id": 5, "title": "Down", "state": "closed", "severity": "critical", "closed_at": "2026-05-01 10:00:00 UTC"},
    )
    assert (closed.kind, closed.status, closed.severity) == ("ticket", "resolved", "critical")
    assert read("work_item", {"id": 5, "title": "Down", "state": "opened", "action": "reopen"}).status == "info"
    note = read(
        "note",
        {"id": 1, "note": "hm", "noteable_type": "Issue", "url": "https://g.example/i/5#note_1"},
        issue={"id": 5, "title": "Down"},
    )
    assert (note.kind, note.title, note.key, note.source_url) == ("ticket", "Down", "gitlab:5", "https://g.example/i/5")


def test_system_hooks_and_what_is_newer_are_news() -> None:
    found = PROVIDER.normalise({"event_name": "user_create", "name": "Mia", "created_at": "2026-05-01T10:00:00Z"}, {})
    assert (found.kind, found.known) == ("other", True)
    assert read("vulnerability", {"title": "XSS"}).kind == "other"
    assert read("build", build_id=7, build_name="test", build_status="failed").kind == "other"
