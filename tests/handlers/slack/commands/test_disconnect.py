"""`/autoheal disconnect NAME`."""

from store.people.users import Role
from store.tenancy import connections
from tests.handlers.inbound import Slack, set_person


async def test_a_connection_is_ended_by_its_name(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with slack.db.tenant(slack.tenant) as s:
        await connections.save_connection(s, connector="jaeger", config={"url": "http://127.0.0.1:9"}, credentials={})
    await slack.workspace.slash("mia", "incidents", "/autoheal disconnect grafana")
    await slack.workspace.slash("mia", "incidents", "/autoheal disconnect jaeger")
    await slack.handled(2)
    unknown, ended = slack.private("incidents", "mia")
    assert unknown == "There is no connection called `grafana`. Connected: jaeger."
    assert ended.startswith("jaeger is disconnected")
