"""A service as a person describes it."""

import pytest

from agents.connecting.connector import Service
from agents.connecting.correcting import Correction, NotUsable
from store import audit
from store.incidents import catalog
from store.people.users import Role
from tests.handlers.inbound import Slack, set_person

KNOWN = (Service(name="checkout", aliases=("web",)), Service(name="payments"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "Check out!"}, "A service's name has small letters"),
        ({"name": "payments", "aliases": "web"}, "web is already a name of checkout"),
        ({"name": "payments", "depends_on": "nothing"}, "'nothing' is no service that I know"),
        ({"name": "payments", "repository": "shop"}, "A repository is written as owner/name"),
        ({"name": "payments", "runbook": "http://x"}, "A runbook is an https address"),
        ({"name": "payments", "environment": "the real one"}, "Environment and owners are single words"),
    ],
)
def test_what_cannot_be_kept_is_told_with_what_to_write(values: dict[str, str], told: str) -> None:
    with pytest.raises(NotUsable, match=told):
        Correction.read(values).checked(KNOWN)


async def test_a_service_is_added_and_kept_with_who_said_so(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    await slack.workspace.slash("mia", "incidents", "/autoheal services search")
    await slack.handled(1)
    (view_id,) = slack.workspace.views
    values = {"name": "search", "aliases": "search-*, pod:es-*", "depends_on": "payments", "environment": "staging"}
    await slack.workspace.submit_view("mia", view_id, values)
    await slack.handled(2)
    assert slack.private("incidents", "mia") == ["search is kept as you say. I use it from now on."]
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (kept,) = await catalog.services(s)
        assert (kept.name, kept.aliases, kept.environment) == ("search", ("search-*", "pod:es-*"), "staging")
        assert kept.decided_by is not None
        assert (await audit.trail(s))[-1].action == "slack.service.changed"
