"""Jira: issues with and without what one would expect in them."""

from typing import Any

import pytest

from agents.webhooks import Normalised
from agents.webhooks.providers.jira import PROVIDER


def read(
    what: str, *, category: str = "new", self: str = "https://acme.atlassian.net/rest/api/2/issue/1", **body: Any
) -> Normalised:
    fields = {
        "summary": "Down",
        "priority": {"name": "Highest"},
        "status": {"name": "X", "statusCategory": {"key": category}},
    }
    issue = {"id": "1", "self": self, "key": "OPS-1", "fields": fields}
    return PROVIDER.normalise({"timestamp": 1772625600000, "webhookEvent": what, "issue": issue, **body}, {})


def test_an_issue_is_over_by_the_category_of_its_status() -> None:
    done, open_ = read("jira:issue_updated", category="done"), read("jira:issue_updated", category="indeterminate")
    assert (done.status, open_.status, open_.severity, open_.key) == ("resolved", "info", "critical", "jira:OPS-1")


@pytest.mark.parametrize(
    ("address", "browse"),
    [
        ("https://acme.atlassian.net/rest/api/2/issue/1", "https://acme.atlassian.net/browse/OPS-1"),
        ("http://host.example:8080/jira/rest/api/2/issue/1", "http://host.example:8080/jira/browse/OPS-1"),
        ("https://api.atlassian.com/ex/jira/1/rest/api/2/issue/1", None),
        ("nonsense", None),
    ],
)
def test_the_address_for_people_is_built(address: str, browse: str | None) -> None:
    assert read("jira:issue_created", self=address).source_url == browse


def test_a_comment_without_its_issue_a_version_and_a_sprint() -> None:
    comment = {"self": "http://j.example/rest/api/2/issue/77/comment/3", "id": "3", "body": "hm"}
    found = PROVIDER.normalise({"webhookEvent": "comment_created", "comment": comment, "timestamp": 1772625600000}, {})
    assert (found.kind, found.key) == ("ticket", "jira:77")
    version = PROVIDER.normalise({"webhookEvent": "jira:version_released", "version": {"id": 1, "name": "2.0"}}, {})
    assert version.kind == "change"
    assert version.change is not None
    assert version.change.version == "2.0"
    sprint = PROVIDER.normalise({"webhookEvent": "sprint_started", "sprint": {"id": 4, "name": "S4"}}, {})
    assert (sprint.kind, sprint.known) == ("other", True)
