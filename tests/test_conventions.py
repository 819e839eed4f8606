"""Each discovered thing is a module with a docstring, a name equal to its file's, and a test at the mirrored path."""

import ast
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

from agents import remediations, workflows
from agents.connecting import connectors
from agents.connecting.connector import discover_connectors
from agents.remediation import discover_remediations
from agents.review import refuters
from agents.review.refuter import discover_refuters
from agents.webhooks import discover_providers, providers
from agents.workflow import discover_workflows
from handlers.mcp import tools
from handlers.mcp.tool import discover_mcp_tools
from handlers.slack import buttons, commands, modals
from handlers.slack.button import discover_buttons
from handlers.slack.command import discover_commands
from handlers.slack.modal import discover_modals
from handlers.web import api
from handlers.web.api_resource import discover_resources

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (
    (connectors, "CONNECTOR", discover_connectors),
    (remediations, "REMEDIATION", discover_remediations),
    (refuters, "REFUTER", discover_refuters),
    (workflows, "WORKFLOW", discover_workflows),
    (commands, "COMMAND", discover_commands),
    (buttons, "BUTTON", discover_buttons),
    (modals, "MODAL", discover_modals),
    (api, "RESOURCE", discover_resources),
    (tools, "TOOL", discover_mcp_tools),
    (providers, "PROVIDER", discover_providers),
)
MODULES = [
    pytest.param(folder, name, constant, id=f"{folder.__name__}.{name}")
    for folder, constant, _ in FOLDERS
    for _, name, _ in pkgutil.iter_modules(folder.__path__)
]


@pytest.mark.parametrize(("folder", "name", "constant"), MODULES)
def test_a_module_has_a_docstring_its_own_name_and_a_test(folder: ModuleType, name: str, constant: str) -> None:
    module = importlib.import_module(f"{folder.__name__}.{name}")
    assert len((module.__doc__ or "").strip()) >= 20, "say what it is and why it exists"
    assert getattr(module, constant).name == name
    mirrored = ROOT / "tests" / Path(*folder.__name__.split("."))
    tests = [mirrored / f"test_{name}.py", *(mirrored / name).glob("test_*.py")]
    assert any(path.is_file() and _has_test(path) for path in tests), f"write {tests[0].relative_to(ROOT)}"


@pytest.mark.parametrize(("folder", "constant", "discover"), FOLDERS, ids=[folder.__name__ for folder, _, _ in FOLDERS])
def test_discovery_finds_each_module_of_its_folder(folder: ModuleType, constant: str, discover: object) -> None:
    found = discover()  # type: ignore[operator] # each has its own result type; the keys are names
    assert set(found) == {name for _, name, _ in pkgutil.iter_modules(folder.__path__)}, constant


def _has_test(path: Path) -> bool:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(
        isinstance(node, functions) and node.name.startswith("test_") for node in ast.walk(ast.parse(path.read_text()))
    )
