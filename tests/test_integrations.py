"""The page of integrations is true: the thirteen tools, what they give, and where each was tried."""

from agents.connecting.connector import discover_connectors
from agents.remediation import discover_remediations
from agents.webhooks import discover_providers
from tests.integrations import INTEGRATIONS, PAGE, ROOT, sources_of, tools_named


def test_each_of_the_thirteen_has_its_row() -> None:
    text = PAGE.read_text()
    assert len(INTEGRATIONS) == 13
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert set(rows) == {"Tool", *(one.name for one in INTEGRATIONS)}
    for one in INTEGRATIONS:
        _, sources, tools, _, _, against = rows[one.name].removesuffix(" |").split(" | ")
        kinds = [discover_connectors()[name] for name in one.connectors]
        given = {source for kind in kinds for source in sources_of(kind)}
        assert set(sources.split(", ")) - {"-"} <= given, one.name
        named = {name for kind in kinds for name in tools_named(kind)}
        assert set(tools.replace("`", "").split(", ")) - {"-"} <= named, one.name
        assert against == one.against


def test_what_it_names_is_there() -> None:
    for one in INTEGRATIONS:
        assert set(one.remediations) <= set(discover_remediations()), one.name
        assert set(one.webhooks) <= set(discover_providers()), one.name
        assert [path for path in one.tests if not (ROOT / path).exists()] == [], one.name
