"""A question of the catalog, asked and answered by clicking."""

from store.incidents import catalog
from store.incidents.catalog import CatalogStatement
from store.people.users import Role
from tests.handlers.inbound import Slack, set_person


async def asked(slack: Slack, button: str) -> list[str]:
    """What an admin was told who clicked this answer, after clicking it a second time did nothing."""
    await set_person(slack, "mia", Role.ADMIN)
    async with slack.db.tenant(slack.tenant) as s:
        told = CatalogStatement(name="checkout-7d9f", origin="traces", question=True, same_as="checkout")
        (entry,) = await catalog.take_in(s, [told])
    await slack.workspace.slash("mia", "incidents", "/autoheal services")
    await slack.handled(1)
    (message,) = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for]
    for count in (2, 3):
        await slack.workspace.click("mia", message.ts, f"{button}:{entry.id[-12:]}")
        await slack.handled(count)
    *_, first, second = slack.private("incidents", "mia")
    assert second == "Somebody has answered that already. Thank you."
    return [first]
