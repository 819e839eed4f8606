"""Names that traces show and nobody declared become questions, once, and never services by themselves."""

from types import SimpleNamespace
from typing import Any

from agents.connecting.connector import Service
from agents.connecting.toolbox import Toolbox
from agents.investigation.conclusion import ask_about_strangers
from agents.investigation.investigation_tools import STRANGERS
from store.database.session import Database
from store.incidents import catalog


async def test_a_name_in_traces_is_asked_about_once(sqlite_database: Database, two_tenants: Any) -> None:
    toolbox = Toolbox(services=(Service(name="checkout"), Service(name="payments")))
    seen: Any = SimpleNamespace(facts={STRANGERS: ["checkout-7d9f8c6b5-x2k4z", "redis"]})
    case: Any = SimpleNamespace(artifacts=[seen, seen], investigation=SimpleNamespace(id="run-1"))
    rt: Any = SimpleNamespace(db=sqlite_database)
    for _ in range(2):
        await ask_about_strangers(rt, two_tenants[0], case, toolbox)
    async with sqlite_database.tenant(two_tenants[0], readonly=True) as s:
        asked = await catalog.services(s)
    assert [(one.name, one.same_as, one.state, one.evidence) for one in asked] == [
        ("checkout-7d9f8c6b5-x2k4z", "checkout", "proposed", "run-1"),
        ("redis", None, "proposed", "run-1"),
    ]
