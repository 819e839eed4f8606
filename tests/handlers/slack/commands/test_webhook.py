"""`/autoheal webhook`: an admin makes, lists, rotates and deletes; the secret is shown once."""

import re

from store.inbox import webhooks
from store.people.users import Role
from tests.handlers.inbound import Slack, audited, set_person
from tests.handlers.webhooks.hooks import a_body, an_alert, open_hooks

SECRET = "a-client-secret-of-sentry-4711"


async def ask(slack: Slack, words: str, count: int) -> str:
    await slack.workspace.slash("mia", "incidents", f"/autoheal {words}")
    await slack.handled(count)
    return slack.private("incidents", "mia")[-1]


async def test_an_admin_makes_one_and_the_secret_is_shown_once(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    assert "There is no webhook yet" in await ask(slack, "webhook", 1)
    shown = await ask(slack, "webhook add alertmanager Production", 2)
    path = re.search(r"/webhooks/alertmanager/[\w-]{30,}", shown)
    secret = re.search(r"shown once: `([\w-]{40,})`", shown)
    assert path is not None
    assert secret is not None
    assert "http_config" in shown
    listed = await ask(slack, "webhook", 3)
    assert "Production" in listed
    assert secret[1] not in listed
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (known,) = await webhooks.webhooks(s)
    again = await ask(slack, f"webhook rotate {known.id}", 4)
    assert "The old secret counts for a day more" in again
    assert "Deleted" in await ask(slack, f"webhook delete {known.id}", 5)
    assert "no webhook with this id" in await ask(slack, f"webhook delete {known.id}", 6)
    assert "there is no provider" in await ask(slack, "webhook add nagios", 7)
    assert {"slack.webhook.created", "slack.webhook.rotated", "slack.webhook.removed"} <= set(await audited(slack))


async def test_only_admins_may(slack: Slack) -> None:
    assert "This needs an admin" in await ask(slack, "webhook add alertmanager", 1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await webhooks.webhooks(s) == []


async def test_refused_deliveries_stand_in_the_list(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert()), authorization="Bearer wrong")
    assert "*refused* 1" in await ask(slack, "webhook", 1)


async def test_a_secret_that_the_sender_made_is_entered_in_a_form_and_believed(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    shown = await ask(slack, "webhook add sentry Production", 1)
    assert "shown once" not in shown
    assert "Sentry makes it" in shown
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (known,) = await webhooks.webhooks(s)
    asked = await ask(slack, f"webhook rotate {known.id}", 2)
    assert asked.startswith("Enter the secret of Production")
    told = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for][-1]
    await slack.workspace.click("mia", told.ts, "webhook_secret")
    await slack.handled(3)
    (view_id,) = slack.workspace.views
    await slack.workspace.submit_view("mia", view_id, {"secret:secret": SECRET})
    await slack.handled(4)
    assert slack.private("incidents", "mia")[-1].startswith("The secret of Production is stored")
    found = await webhooks.find_webhook(slack.db, known.public_id)
    assert found is not None
    assert SECRET in [one.reveal() for one in found.secrets]
    assert "slack.webhook.rotated" in await audited(slack)
    assert SECRET not in repr(slack.workspace.messages("incidents"))
    assert slack.workspace.violations == []
