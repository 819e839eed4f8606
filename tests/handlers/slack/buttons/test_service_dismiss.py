"""A question about a name, answered by a click."""

from store.incidents import catalog
from tests.handlers.inbound import Slack
from tests.handlers.slack.questions import asked


async def test_the_answer_is_kept_and_given_once(slack: Slack) -> None:
    (told,) = await asked(slack, "service_dismiss")
    assert told == "checkout-7d9f is not asked about again."
    async with slack.db.tenant(slack.tenant) as s:
        await catalog.take_in(s, [catalog.CatalogStatement(name="checkout-7d9f", origin="traces", question=True)])
        assert [one.state for one in await catalog.services(s)] == ["dismissed"]
