"""One deployment that a cluster and a repository tell of is one change."""

from datetime import UTC, datetime, timedelta

from agents.evidence.changes.deployments import APART, as_one
from agents.evidence.types import Change

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHA = "1f3c9ab0" * 5


def tag(at: datetime = AT, service: str = "checkout", version: str = SHA) -> Change:
    return Change(
        id=f"deploy/{service}/1",
        service=service,
        at=at,
        kind="deployment",
        version=version,
        author="mia",
        paths=("app.py",),
    )


ROLLOUT = Change(
    id="checkout@x7k",
    service="checkout",
    at=AT + timedelta(seconds=2),
    kind="deployment",
    version="x7k",
    commit=SHA[:12],
)


def test_the_cluster_tells_when_and_which_version_and_the_repository_who_and_which_files() -> None:
    (one,) = as_one([tag(), ROLLOUT])
    assert (one.id, one.version, one.at, one.author, one.paths) == (
        "checkout@x7k",
        "x7k",
        ROLLOUT.at,
        "mia",
        ("app.py",),
    )


def test_what_may_be_another_deployment_stays_one() -> None:
    others = [
        tag(at=AT - APART),
        tag(service="payments"),
        tag(version="2" * 40),
        tag(version="1"),
        Change(id="flag", service="checkout", at=AT, kind="config"),
    ]
    assert as_one([*others, ROLLOUT]) == sorted([*others, ROLLOUT], key=lambda change: change.at)
    assert as_one([tag(), tag(service="payments")]) == [tag(), tag(service="payments")]
