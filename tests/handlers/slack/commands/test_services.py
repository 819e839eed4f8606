"""`/autoheal services`: what is known, and the form of one."""

from store.incidents import catalog
from store.incidents.catalog import CatalogStatement
from store.people.users import Role
from tests.handlers.inbound import Slack, set_person


async def test_services_are_listed_with_who_said_so_and_what_is_asked(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with slack.db.tenant(slack.tenant) as s:
        await catalog.take_in(
            s, [CatalogStatement(name="checkout-7d9f", origin="traces", question=True, same_as="checkout")]
        )
    await slack.workspace.slash("mia", "incidents", "/autoheal services")
    await slack.handled(1)
    (told,) = slack.private("incidents", "mia")
    assert "Is `checkout-7d9f` your service *checkout*? (seen in traces)" in told
    assert "*checkout* (production, by the operator's file), calls payments" in told
    await slack.workspace.slash("mia", "incidents", "/autoheal services checkout")
    await slack.handled(2)
    (view,) = slack.workspace.views.values()
    assert view.view["blocks"][2]["element"]["initial_value"] == "payments"
    assert slack.workspace.violations == []


async def test_whoever_may_only_read_sees_no_buttons(slack: Slack) -> None:
    await set_person(slack, "raj", Role.MEMBER)
    await slack.workspace.slash("raj", "incidents", "/autoheal services checkout")
    await slack.handled(1)
    (told,) = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for]
    assert "actions" not in {block["type"] for block in told.blocks}
    assert slack.workspace.views == {}
