"""A question about a name, answered by a click."""

from store.incidents import catalog
from tests.handlers.inbound import Slack
from tests.handlers.slack.questions import asked


async def test_the_answer_is_kept_and_given_once(slack: Slack) -> None:
    (told,) = await asked(slack, "service_same")
    assert told == "checkout-7d9f is another name for checkout from now on."
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        by_name = {one.name: one for one in await catalog.services(s)}
    assert by_name["checkout"].aliases == ("checkout-7d9f",)
    assert by_name["checkout-7d9f"].state == "dismissed"
