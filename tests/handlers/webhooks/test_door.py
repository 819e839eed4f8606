"""The door: who is believed, what is kept, and what a refusal leads to."""

import asyncio
import hashlib
import hmac
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from handlers.webhooks.door import MOST_BYTES
from handlers.webhooks.refusals import tell_refusals
from store.database.schema import InboxRow
from store.inbox import webhooks
from tests.conftest import Clock
from tests.handlers.inbound import Slack, audited
from tests.handlers.webhooks.hooks import Hooks, a_body, an_alert, open_hooks


async def rows(hooks: Hooks) -> list[Any]:
    async with hooks.slack.db.tenant(hooks.slack.tenant, readonly=True) as s:
        found = await s.all(select(InboxRow).where(InboxRow.source == "webhook").order_by(InboxRow.id))
        return [(row, s.open_json("inbox", "payload", row.id, row.payload)) for row in found]


async def test_who_knows_the_secret_is_believed_once_and_nobody_else(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        made, other = await hooks.make(), await hooks.make("github")
        assert await hooks.send(made, a_body(an_alert())) == 202
        assert await hooks.send(made, a_body(an_alert())) == 202, "a repetition is acknowledged"
        await hooks.done()
        ((row, payload),) = await rows(hooks)
        assert (row.state, row.kind) == ("done", "webhook.alertmanager")
        assert (payload["ip"], payload["user_agent"]) == ("203.0.113.7", "hook/1")
        assert "HighErrors" in payload["body"]
        assert "authorization" not in payload["headers"]
        for headers in ({"authorization": "Bearer wrong"}, {"x-nothing": "1"}):
            assert await hooks.send(made, a_body(an_alert("Other")), **headers) == 401
        assert await hooks.send(other, {}, **{"x-hub-signature-256": "sha256=00"}) == 401
        assert len(await rows(hooks)) == 1
        hooks.now += 600  # the same bytes much later say that it still fires
        assert await hooks.send(made, a_body(an_alert())) == 202
        await hooks.done()
        assert len(await rows(hooks)) == 2
        assert hooks.door.counts == {
            "accepted": 2,
            "repeated": 1,
            "refused_wrong_signature": 2,
            "refused_no_signature": 1,
        }


async def test_a_signed_body_is_no_news_a_second_time(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        made = await hooks.make("github")
        assert made.secret is not None
        raw = b'{"zen": "Keep it simple"}'
        signature = "sha256=" + hmac.new(made.secret.reveal().encode(), raw, hashlib.sha256).hexdigest()
        headers = {"x-hub-signature-256": signature, "x-github-event": "ping"}
        assert await hooks.send(made, raw, **headers) == 202
        hooks.now += 86_400 * 30
        assert await hooks.send(made, raw, **headers) == 202
        await hooks.done()
        assert len(await rows(hooks)) == 1
        assert hooks.door.counts["repeated"] == 1


async def test_what_cannot_be_read_is_the_senders_mistake(slack: Slack, caplog: pytest.LogCaptureFixture) -> None:
    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        bodies = [b"", b"{", b"null", b"3", b"\xff\xfe", b"[" * 20_000, b'{"a": ' + b"9" * 6_000 + b"}"]
        for body in bodies:
            caplog.clear()
            assert await hooks.send(made, body) == 400, body[:20]
            assert len([one for one in caplog.records if one.name == "autoheal.webhooks"]) == 1
        assert await hooks.send(made, b" " * (MOST_BYTES + 1)) == 413
        assert await hooks.send(made, b'{"a": "\\ud800"}') == 202, "odd text is no reason to refuse"
        await hooks.done()
        ((row, _),) = await rows(hooks)
        assert row.state == "done"


async def test_unknown_addresses_and_other_providers_are_not_there(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        async with slack.db.tenant(slack.tenant) as s:
            assert await webhooks.remove_webhook(s, made.webhook.id)
        hooks.door.forget()
        assert await hooks.send(made, a_body(an_alert())) == 404
        assert hooks.door.counts == {"unknown": 1}


async def test_after_a_rotation_both_secrets_count_for_a_day(slack: Slack, clock: Clock) -> None:
    from agents.alerting.administering import rotate_webhook
    from store import audit

    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        async with slack.db.tenant(slack.tenant) as s:
            again = await rotate_webhook(s, made.webhook.id, secret=None, actor=audit.SYSTEM, source="operator")
        hooks.door.forget()
        assert await hooks.send(made, a_body(an_alert("A"))) == 202
        assert await hooks.send(again, a_body(an_alert("B"))) == 202
        clock.advance(timedelta(days=1, minutes=1))
        hooks.door.forget()
        assert await hooks.send(made, a_body(an_alert("C"))) == 401
        assert await hooks.send(again, a_body(an_alert("C"))) == 202
        await hooks.done()
        assert "operator.webhook.rotated" in await audited(slack)


async def test_admins_are_told_of_refusals_once_until_hours_later(slack: Slack, clock: Clock) -> None:
    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        for _ in range(40):
            assert await hooks.send(made, a_body(an_alert()), authorization="Bearer wrong") == 401
        await hooks.refusals.flush()
        assert await tell_refusals(slack.db, hooks.told) == 1
        assert await tell_refusals(slack.db, hooks.told) == 0
        ((_, text),) = hooks.told.said
        assert "40 so far" in text
        assert "not the one that was set here" in text
        assert "none was ever good" in text
        assert (await audited(slack)).count("webhook.request.refused") == 2, "a flood is written down seldom"
        clock.advance(timedelta(hours=7))
        await hooks.send(made, a_body(an_alert()), authorization="Bearer wrong")
        assert await tell_refusals(slack.db, hooks.told) == 1


async def test_a_webhook_without_its_settings_believes_nobody(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        from agents.webhooks.problem import BadWebhook

        with pytest.raises(BadWebhook, match="topic_arn"):
            await hooks.make("cloudwatch_sns")
        with pytest.raises(BadWebhook, match="no provider"):
            await hooks.make("nagios")
        with pytest.raises(BadWebhook, match="no setting"):
            await hooks.make("alertmanager", colour="red")
        with pytest.raises(BadWebhook, match="at least"):
            await hooks.make("pagerduty", secret="short")


async def test_the_secret_of_a_webhook_is_kept_out_of_what_is_stored(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        assert made.secret is not None
        await hooks.send(made, a_body(an_alert(labels={"note": f"token {made.secret.reveal()} leaked"})))
        await hooks.done()
        ((_, payload),) = await rows(hooks)
        assert made.secret.reveal() not in str(payload)


async def test_what_arrives_before_a_crash_is_taken_up_by_the_sweep(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        hooks.door._arrived = lambda *_: None  # the process dies before anything else happens
        assert await hooks.send(made, a_body(an_alert())) == 202
        from store.inbox import collect

        await collect(slack.db)
        await hooks.work.sweep()
        await hooks.done()
        ((row, _),) = await rows(hooks)
        assert row.state == "done"


async def test_many_at_once_are_each_kept_once(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        bodies = [a_body(an_alert(f"A{number % 10}")) for number in range(40)]
        assert set(await asyncio.gather(*(hooks.send(made, body) for body in bodies))) == {202}
        await hooks.done()
        assert len(await rows(hooks)) == 10
