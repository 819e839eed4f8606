"""Text printed for a model is never parsed back: tools hand out rows, and code goes on from rows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import agents

ROOT = Path(agents.__file__).parent
# They pass on what a person or the model itself wrote, or a part of an earlier result: there is nothing found in it.
WITHOUT_ROWS = {"state_hypotheses", "fetch_more"}
# They store a result, show it to the model, or compare a quote with it.
MAY_READ_TEXT = {"calls.py", "case.py", "investigation_tools.py"}
MAY_READ_TEXT_THERE = ("gate", "connecting", "evidence", "remediations")
STORED_TEXT = re.compile(r"\b(?:artifact|a|evidence|cited|item|result|r|output|found)\.text\b")


def outputs() -> Iterator[tuple[str, str, ast.Call]]:
    for path in sorted(ROOT.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ToolOutput":
                        yield str(path.relative_to(ROOT)), function.name, node


def test_every_tool_hands_out_rows() -> None:
    found = list(outputs())
    assert len(found) > 15
    for path, function, call in found:
        has_rows = any(keyword.arg == "rows" for keyword in call.keywords)
        assert has_rows or function in WITHOUT_ROWS, f"{path}: {function} makes a ToolOutput without rows"


def test_only_the_gate_looks_into_the_text_of_a_stored_result() -> None:
    for path in sorted(ROOT.rglob("*.py")):
        within = path.relative_to(ROOT)
        if within.name not in MAY_READ_TEXT and within.parts[0] not in MAY_READ_TEXT_THERE:
            assert not STORED_TEXT.findall(path.read_text()), f"{within} reads the text of a result"
