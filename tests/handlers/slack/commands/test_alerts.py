"""`/autoheal alerts`: counts for everybody, rules for admins."""

from store.incidents import alerts
from store.people.users import Role
from tests.handlers.inbound import Slack, audited, set_person
from tests.handlers.webhooks.hooks import a_body, an_alert, open_hooks


async def ask(slack: Slack, words: str, count: int) -> str:
    await slack.workspace.slash("mia", "incidents", f"/autoheal {words}")
    await slack.handled(count)
    return slack.private("incidents", "mia")[-1]


async def test_hygiene_counts_what_costs_attention(slack: Slack) -> None:
    assert "No alert came in the last 7 days" in await ask(slack, "alerts", 1)
    async with open_hooks(slack) as hooks:
        await slack.settings(triage_channels=("C0INCIDENTS",))
        made = await hooks.make()
        for _ in range(4):
            hooks.now += 400
            await hooks.send(made, a_body(an_alert("Noise", "batch", labels={"severity": "info"})))
            await hooks.send(made, a_body(an_alert()))
        await hooks.send(made, {"odd": 1})
        await hooks.done()
    told = await ask(slack, "alerts 24h", 2)
    assert "*Alerts of the last day*: 2, sent 8 times, in 1 groups; 1 led to an investigation." in told
    assert "*Never looked into*: noise (fired 1, sent 4, 1 services)" in told
    assert "Sent again and again" in told
    assert "1 deliveries were of an unknown shape" in told


async def test_an_admin_changes_the_rules(slack: Slack) -> None:
    assert "This needs an admin" in await ask(slack, "alerts channel", 1)
    await set_person(slack, "mia", Role.ADMIN)
    told = await ask(
        slack, "alerts rule add ignore severity=info,warning service=batch hours=22-06 zone=Europe/Berlin", 2
    )
    assert "1. `ignore severity=info,warning service=batch hours=22-06 zone=Europe/Berlin`" in told
    await ask(slack, "alerts budget 3", 3)
    await ask(slack, "alerts labels team region", 4)
    told = await ask(slack, "alerts channel", 5)
    assert "At most 3 investigations an hour" in told
    assert "<#C0INCIDENTS>" in told
    assert "Labels shown: team, region" in told
    assert "is no severity" in await ask(slack, "alerts rule add ignore severity=blue", 6)
    assert "begins with one of" in await ask(slack, "alerts rule add destroy", 7)
    assert "1." not in await ask(slack, "alerts rule remove 1", 8)
    assert "alerts rules" in await ask(slack, "alerts what is this", 9)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert (await alerts.policy(s))["budget"] == 3
    assert (await audited(slack)).count("slack.alert_rules.changed") == 5
