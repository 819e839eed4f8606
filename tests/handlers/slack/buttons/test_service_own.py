"""A question about a name, answered by a click."""

from store.incidents import catalog
from tests.handlers.inbound import Slack
from tests.handlers.slack.questions import asked


async def test_the_answer_is_kept_and_given_once(slack: Slack) -> None:
    (told,) = await asked(slack, "service_own")
    assert told == "checkout-7d9f is one of your services."
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (known,) = await catalog.services(s, "known")
    assert (known.name, known.same_as, known.decided_by is not None) == ("checkout-7d9f", None, True)
