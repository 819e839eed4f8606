"""The prompts name only what exists, and the worked conclusion is one that can be handed in."""

import importlib
import inspect
import json
import pkgutil
import re
from importlib import resources
from types import ModuleType

import pytest

from agents import investigation
from agents.connecting import connectors
from agents.investigation.calls import ANSWER, CONCLUDE
from agents.investigation.second_reader import OBJECT, Objecting
from agents.remediation import discover_remediations
from agents.verdict import Draft, read_draft

PROMPTS = ("investigator", "reviewer")
WORDS = {"observed", "inferred", "rules_out", "refuted", "doubtful", "held"}


def prompt(name: str) -> str:
    return resources.files("agents.investigation.prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")


def _marked(module: ModuleType) -> set[str]:
    return {
        member.__autoheal_tool__[2] or name
        for _, owner in inspect.getmembers(module, inspect.isclass)
        for name, member in inspect.getmembers(owner, inspect.isfunction)
        if hasattr(member, "__autoheal_tool__")
    }


def tools() -> set[str]:
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for package in (investigation, connectors)
        for found in pkgutil.iter_modules(package.__path__)
    ]
    return {CONCLUDE, ANSWER, OBJECT}.union(*(_marked(module) for module in modules))


@pytest.mark.parametrize("name", PROMPTS)
def test_every_tool_and_field_that_a_prompt_names_exists(name: str) -> None:
    text = re.sub(r"```.*?```", "", prompt(name), flags=re.DOTALL)
    named = set(re.findall(r"`([^`]+)`", text))
    assert len(named) > 3
    known = tools() | set(Draft.model_fields) | set(Objecting.model_fields) | {"side"} | WORDS
    assert named - known == set()


def test_the_worked_conclusion_can_be_handed_in() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", prompt("investigator"), flags=re.DOTALL)
    told = json.loads(block)
    draft = read_draft(told)
    assert set(told) <= set(Draft.model_fields)
    assert len(draft.claims) == len(told["claims"])
    assert {claim.hypothesis for claim in draft.claims} == {one.id for one in draft.hypotheses}
    assert draft.proposal is not None
    assert draft.proposal.remediation in discover_remediations()
