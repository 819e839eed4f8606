"""Silence is judged by a declared heartbeat alone, and told once for each."""

from datetime import timedelta

import pytest

from agents.webhooks.heartbeat import heartbeat_of, silent_since, with_heartbeat
from agents.webhooks.problem import BadWebhook
from handlers.webhooks.silence import Silences
from store.inbox import webhooks
from store.inbox.webhooks import Webhook
from store.people.users import Role
from tests.conftest import Clock
from tests.handlers.inbound import Slack, audited, set_person
from tests.handlers.webhooks.hooks import a_body, an_alert, open_hooks

MINUTE = timedelta(minutes=1)


async def known(slack: Slack) -> list[Webhook]:
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        return await webhooks.webhooks(s)


async def test_a_silent_one_is_told_once_and_again_when_it_falls_silent_again(slack: Slack, clock: Clock) -> None:
    async with open_hooks(slack) as hooks:
        silences = Silences(slack.db)
        made = await hooks.make(heartbeat="10")
        await hooks.make()  # nobody said that something always arrives there
        clock.advance(9 * MINUTE)
        assert await silences.tell(hooks.told) == 0
        clock.advance(2 * MINUTE)
        assert await silences.tell(hooks.told) == await silences.tell(hooks.told) == 1
        assert len({key for key, _ in hooks.told.said}) == 1, "the same key is one message"
        key, text = hooks.told.said[0]
        assert text.startswith("*Alertmanager is silent*")
        assert "something should arrive every 10 min, and nothing has ever" in text
        assert await hooks.send(made, a_body(an_alert("Watchdog", "prometheus"))) == 202
        await hooks.done()
        assert await silences.tell(hooks.told) == 0, "a sign of life is no alert, and ends a silence"
        clock.advance(11 * MINUTE)
        assert await silences.tell(hooks.told) == 1
        assert hooks.told.said[-1][0] != key
        assert (await audited(slack)).count("system.webhook.silent") == 2


async def test_what_could_not_arrive_is_nobodys_silence(slack: Slack, clock: Clock) -> None:
    async with open_hooks(slack) as hooks:
        await hooks.make(heartbeat="10")
        clock.advance(timedelta(days=1))
        started = Silences(slack.db)
        assert await started.tell(hooks.told) == 0
        clock.advance(11 * MINUTE)
        assert await started.tell(hooks.told) == 1


async def test_it_is_declared_and_ended_from_slack_and_stands_in_the_list(slack: Slack, clock: Clock) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with open_hooks(slack) as hooks:
        await hooks.make()
        (hook,) = await known(slack)
        clock.advance(timedelta(days=3))
        for count, (words, told) in enumerate(
            [
                (f"heartbeat {hook.id} soon", "a heartbeat is a number of minutes from 1 to 10080"),
                (f"heartbeat {hook.id} 0", "a heartbeat is a number of minutes"),
                ("heartbeat nobody 5", "There is no webhook with this id"),
                (f"heartbeat {hook.id} 5", "Admins are told when nothing arrived there for 5 min"),
                ("", "something every 5 min"),
            ],
            start=1,
        ):
            await slack.workspace.slash("mia", "incidents", f"/autoheal webhook {words}")
            await slack.handled(count)
            assert told in slack.private("incidents", "mia")[-1]
        (hook,) = await known(slack)
        now = slack.db.now()
        assert silent_since(hook, now) is None, "it is judged from when that was said"
        assert silent_since(hook, now + 6 * MINUTE) is not None
        await slack.workspace.slash("mia", "incidents", f"/autoheal webhook heartbeat {hook.id} off")
        await slack.handled(6)
        (hook,) = await known(slack)
        assert heartbeat_of(hook.config) is None
        assert (await audited(slack)).count("slack.webhook.changed") == 2


async def test_a_heartbeat_that_is_none_makes_no_webhook(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        with pytest.raises(BadWebhook):
            await hooks.make(heartbeat="often")
    assert with_heartbeat({"scheme": "token", "heartbeat": "5"}, None, slack.db.now()) == {"scheme": "token"}
