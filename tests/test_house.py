"""The house stays as it is drawn: folders by domain, no tool twice, and a door to everything.

Which domain may import which stands in `pyproject.toml` as contracts.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.connecting.connector import discover_connectors
from agents.remediation import discover_remediations
from handlers.slack.command import discover_commands
from handlers.slack.commands.help import help_text
from store.people.users import Role

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bot", "handlers", "agents", "store")
FROM_OUTSIDE = {
    "always": "tests give one toolbox to all tenants",
    "as_indicators": "benchmarks read series without Prometheus",
    "chart_points": "tests look at the points of a chart",
    "fold": "the log benchmarks mine plain texts",
    "render_ranking": "benchmarks and tests read the text of a ranking",
}
"""Functions that only benchmarks and tests call, each with what for."""


def files(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            within = path.relative_to(ROOT).as_posix()
            if not within.startswith(("bot/demo/", "store/database/migrations/")):
                yield within, ast.parse(path.read_text())


@pytest.mark.parametrize("package", ["store", "agents"])
def test_every_folder_is_on_the_map(package: str) -> None:
    map_ = (ROOT / "docs" / "architecture.md").read_text()
    folders = [path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").is_file()]
    assert len(folders) > 5
    assert [name for name in folders if f"`{name}/`" not in map_] == []


def test_the_documents_name_files_that_are_there() -> None:
    """Whatever stands in backticks like a path of ours; not in the pages and the table that invent an example."""
    names = {path.name for package in (*PACKAGES, "tests", "benchmarks") for path in (ROOT / package).rglob("*.py")}
    gone: list[str] = []
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        text = page.read_text() if page.parent.name != "how-to" else ""
        text = re.sub(r"^## Where a new thing goes.*?(?=^## )", "", text, flags=re.MULTILINE | re.DOTALL)
        paths = re.findall(r"`((?:bot|handlers|agents|store|tests|benchmarks|docs)/[\w./-]+)`", text)
        gone += [f"{page.name}: {path}" for path in paths if not (ROOT / path).exists()]
        gone += [f"{page.name}: {name}" for name in re.findall(r"`(\w+\.py)`", text) if name not in names]
    assert gone == []


@pytest.mark.parametrize("package", ["store", "agents"])
def test_few_modules_lie_loose(package: str) -> None:
    loose = {path.name for path in (ROOT / package).glob("*.py")} - {"__init__.py"}
    assert len(loose) <= 12, f"put it into the folder of its domain: {sorted(loose)}"


def test_every_function_has_a_caller_in_the_product() -> None:
    """What nobody reaches does not exist: a table that nothing fills is no feature, nor is a rule that nothing asks.
    Functions that a decorator registers are called by whoever it tells.
    """
    named: Counter[str] = Counter()
    public: dict[str, str] = {}
    for within, tree in files(*PACKAGES):
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                named[node.id] += 1
            elif isinstance(node, ast.Attribute):
                named[node.attr] += 1
        public |= {
            node.name: within
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and not node.decorator_list
        }
    assert len(public) > 1_000
    uncalled = {name: within for name, within in public.items() if not named[name]}
    assert sorted(uncalled) == sorted(FROM_OUTSIDE), uncalled


def test_a_class_name_means_one_class() -> None:
    """Private names and the sample shop's own program aside, so that a search finds one place."""
    places: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            within = path.relative_to(ROOT).as_posix()
            if not within.startswith("bot/demo/shop/template/"):
                for node in ast.walk(ast.parse(path.read_text())):
                    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                        places[node.name].append(within)
    assert len(places) > 500
    assert {name: found for name, found in places.items() if len(found) > 1} == {}, "name each after its domain"


def test_a_tool_name_means_one_tool() -> None:
    """The model, the gate and the offline investigator go by names."""
    places: dict[str, list[str]] = defaultdict(list)
    for within, tree in files("agents"):
        for node in ast.walk(tree):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "tool":
                        given = [k.value.value for k in mark.keywords if k.arg == "name"]  # type: ignore[attr-defined]
                        places[given[0] if given else node.name].append(within)
    assert len(places) > 20
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_every_command_is_in_the_help_that_an_admin_reads() -> None:
    told = help_text(Role.ADMIN)
    assert [name for name in discover_commands() if f"/autoheal {name}" not in told] == []


def test_every_connector_and_every_remediation_is_in_the_operators_manual() -> None:
    """Whoever runs this learns from one page what can be connected and what can be done."""
    manual = (ROOT / "docs" / "operating.md").read_text().lower()
    assert [name for name in discover_connectors() if name not in manual] == []
    assert [name for name in discover_remediations() if name not in manual] == []
