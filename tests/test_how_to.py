"""The pages under docs/how-to tell the truth: their examples are written down, registered, connected and run."""

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from agents import remediations
from agents.connecting import connectors
from agents.connecting.connecting import Connected, Connecting, Consenting
from agents.connecting.connector import discover_connectors
from agents.connecting.toolboxes import Toolboxes
from agents.models.offline.change_evidence import FaultKind
from agents.models.offline.remedy import fitting_remedies
from agents.remediation import PlanReason, discover_remediations
from store.database.session import Database
from store.secrets.redaction import Secret
from tests import test_conventions
from tests.agents.connecting.connectors.conftest import context_of, outbound
from tests.agents.connecting.test_connecting import admin
from tests.agents.remediations.conftest import reason
from tests.fakes.operators import permitting_loopback

__all__ = ["context_of", "outbound", "reason"]
ROOT = Path(__file__).resolve().parents[1]
_EXAMPLE = re.compile(r"^`([\w/]+\.py)`[^\n]*:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
Register = Callable[[str, ModuleType, Any], ModuleType]


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Writes a page's files to a folder of their own, lets the registry find them there, and gives the page's test."""
    undone: list[Callable[[], None]] = []

    def written(page: str, folder: ModuleType, discover: Any) -> ModuleType:
        examples = dict(_EXAMPLE.findall((ROOT / "docs" / "how-to" / page).read_text()))
        assert len(examples) == 2, f"{page} shows a file and its test"
        for name, text in examples.items():
            ast.parse(text)
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        product, test = examples
        assert product.rpartition("/")[0] == folder.__name__.replace(".", "/")
        assert test == f"tests/{product.rpartition('/')[0]}/test_{Path(product).stem}.py"
        module = f"{folder.__name__}.{Path(product).stem}"
        monkeypatch.setattr(folder, "__path__", [*folder.__path__, str((tmp_path / product).parent)])
        discover.cache_clear()

        def undo() -> None:
            sys.modules.pop(module, None)
            vars(folder).pop(Path(product).stem, None)
            discover.cache_clear()

        undone.append(undo)
        importlib.invalidate_caches()
        monkeypatch.setattr(test_conventions, "ROOT", tmp_path)
        return loaded(tmp_path / test)

    yield written
    monkeypatch.undo()
    for undo in undone:
        undo()


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def run(tests: ModuleType, **fixtures: Any) -> int:
    """All tests of a page, each with what it asks for; how many they were."""
    found = [one for name, one in vars(tests).items() if name.startswith("test_")]
    for one in found:
        await one(**{name: fixtures[name] for name in inspect.signature(one).parameters})
    return len(found)


async def test_the_connector_of_the_page_is_found_connected_and_asked(
    register: Register, context_of: Any, sqlite_database: Database, two_tenants: Any
) -> None:
    page = register("write-a-connector.md", connectors, discover_connectors)
    assert "flags" in discover_connectors()
    test_conventions.test_a_module_has_a_docstring_its_own_name_and_a_test(connectors, "flags", "CONNECTOR")
    assert await run(page, context_of=context_of) == 3
    db, tenant = sqlite_database, two_tenants[0]
    toolboxes = Toolboxes(db, file=permitting_loopback(), bound=lambda one: one == tenant, now=db.now)
    try:
        async with TestServer(page.flag_service()) as server:
            answer = await Connecting(db, toolboxes, now=db.now).connect(
                Consenting(tenant=tenant, user=(await admin(db, tenant)).user_id),
                connector="flags",
                values={"url": str(server.make_url("/"))},
                secrets={"token": Secret(page.TOKEN)},
                source="slack",
                source_id="T1",
            )
        assert isinstance(answer, Connected), answer
        (tool,) = (await toolboxes.of(tenant)).connector_tools()
        assert tool.name == "flags__list_flags"
        assert tool.description.startswith("The feature flags of a service")
    finally:
        await toolboxes.close()


async def test_the_remediation_of_the_page_is_found_planned_and_chosen(
    register: Register, reason: PlanReason, tmp_path: Path
) -> None:
    page = register("write-a-remediation.md", remediations, discover_remediations)
    test_conventions.test_a_module_has_a_docstring_its_own_name_and_a_test(remediations, "free_disk", "REMEDIATION")
    assert await run(page, reason=reason, tmp_path=tmp_path) == 2
    one = discover_remediations()["free_disk"]
    assert one.cures <= {fault.value for fault in FaultKind}
    assert [one.name for one in fitting_remedies(("free_disk",), FaultKind.ROOM.value)] == ["free_disk"]
