"""The changes which the scenarios commit must fit the template, and say nothing about themselves."""

import re
import tomllib
from pathlib import Path

import pytest

from bot.demo.shop import SCENARIOS
from bot.demo.shop.edits import (
    CUTS,
    HISTORY,
    INNOCENT,
    KEEPERS,
    MISTAKES,
    ORDINARY,
    SETTLE_RARELY,
    SLOW,
    TUNABLE,
    Edit,
    read_edit,
)
from bot.demo.shop.plan import ROLES
from bot.demo.shop.repository import TEMPLATE

HARMFUL = (*SLOW, *CUTS, *MISTAKES, *KEEPERS, SETTLE_RARELY)
ALL = (*HISTORY, *ORDINARY, *HARMFUL, *INNOCENT.values())
TELLING = re.compile(
    r"scenario|\bfault|inject|chaos|\bbroken\b|leak|slow|bug|mistake|surge|quota|innocent|alarm|demo",
    re.IGNORECASE,
)


def applied(text: str, edit: Edit) -> str:
    for was, now in edit.changes:
        assert text.count(was) == 1, f"{edit.message}: {was!r}"
        text = text.replace(was, now)
    return text


@pytest.mark.parametrize("edit", ALL, ids=lambda edit: f"{edit.role} {edit.message}")
def test_edit_fits_the_template_and_the_result_can_be_read(edit: Edit) -> None:
    text = applied((TEMPLATE / "services" / edit.role / edit.file).read_text(), edit)
    if edit.file.endswith(".toml"):
        assert tomllib.loads(text)
    else:
        compile(text, edit.file, "exec")
    assert not TELLING.search(edit.message)
    assert not any(TELLING.search(now) for _, now in edit.changes)


@pytest.mark.parametrize("harmful", HARMFUL, ids=lambda edit: f"{edit.role} {edit.message}")
def test_harmful_edit_fits_after_all_ordinary_work(harmful: Edit) -> None:
    text = (TEMPLATE / "services" / harmful.role / harmful.file).read_text()
    for edit in (*HISTORY, *ORDINARY, *INNOCENT.values()):
        if (edit.role, edit.file) == (harmful.role, harmful.file):
            text = applied(text, edit)
    applied(text, harmful)


def test_template_says_nothing_about_what_may_happen_to_it() -> None:
    for path in TEMPLATE.rglob("*"):
        assert not TELLING.search(path.name)
        if path.is_file() and path.suffix != ".pyc":
            assert not TELLING.search(path.read_text()), path


def test_every_role_has_a_setting_that_matters_to_nobody() -> None:
    for role in ROLES:
        assert f"{TUNABLE[role][0]} = " in (TEMPLATE / "services" / role / "config.toml").read_text()


def test_text_that_is_no_edit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("somebody app.py: Do something\n--- was\na\n--- is\nb\n")
    with pytest.raises(ValueError, match="is not an edit"):
        read_edit(tmp_path / "x.txt")


def test_scenarios_are_the_promised_ones_in_order() -> None:
    assert list(SCENARIOS) == [
        "slow-query", "config-cut", "exception-path", "memory-leak", "provider-down",
        "traffic-surge", "file-quota", "false-alarm", "innocent-rollback",
    ]  # fmt: skip
