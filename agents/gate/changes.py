"""Whether a change is the cause, judged once per run by all that was read about it.

The engine's `coincides` binds: a change on a service where nothing of its own is abnormal is an innocent neighbour. An
id that was cut, or a commit, is completed where that is unambiguous.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from agents.gate.claims import Run
from agents.rows import Altered, Changed

ChangeVerdict = Literal["cause", "coincides", "none"]
_LEAST: Final = 6  # characters of a commit that may stand for a change


@dataclass(frozen=True, kw_only=True)
class JudgedChange:
    """`change` is the completed id, None where there is none; `problem` is a sentence for the model."""

    change: str | None
    verdict: ChangeVerdict
    problem: str | None = None


def judge_change(claimed: str | None, service: str, run: Run) -> JudgedChange:
    """`cause` only for a change of the service that precedes the onset, reaches the symptom, is a candidate for the
    engine, and whose diff was read in this run.
    """
    if not claimed:
        return JudgedChange(change=None, verdict="none")
    rows = [row for item in run.evidence.values() if not item.is_error for row in item.rows if isinstance(row, Changed)]
    mine = _named(claimed, rows)
    if not mine:
        known = ", ".join(dict.fromkeys(row.change for row in rows)) or "none"
        return JudgedChange(
            change=None,
            verdict="none",
            problem=f"change {claimed!r} was not found by a change tool in this run; known are: {known}",
        )
    change = mine[0].change
    if all(row.service != service for row in mine):
        return JudgedChange(
            change=None, verdict="none", problem=f"change {change} is one of {mine[0].service}, the cause is {service}"
        )
    missing = [
        words
        for words, holds in (
            ("it does not precede the onset", any(row.precedes_onset for row in mine)),
            ("it does not reach the symptom", any(row.reaches_symptom for row in mine)),
            ("nothing of its own service is abnormal", any(row.verdict in ("cause_candidate", "") for row in mine)),
            ("its diff was not read in this run", _was_read(mine, run)),
        )
        if not holds
    ]
    if missing:
        return JudgedChange(
            change=change, verdict="coincides", problem=f"change {change} only coincides: {'; '.join(missing)}"
        )
    return JudgedChange(change=change, verdict="cause")


def _named(claimed: str, rows: list[Changed]) -> list[Changed]:
    """The rows of the change that is meant: by its id, the end of it, or its commit."""
    exact = [row for row in rows if row.change == claimed]
    if exact:
        return exact
    wanted = claimed.strip().lower()
    near = [
        row
        for row in rows
        if row.change.lower().endswith(f"/{wanted}")
        or (len(wanted) >= _LEAST and row.version.lower().startswith(wanted))
        or (len(wanted) >= _LEAST and row.change.lower().startswith(wanted))
    ]
    return near if len({row.change for row in near}) == 1 else []


def _was_read(mine: list[Changed], run: Run) -> bool:
    """Whether a tool showed what the change altered: by its id, or by its versions."""
    for item in run.evidence.values():
        if item.is_error:
            continue
        for row in item.rows:
            if isinstance(row, Altered) and any(
                row.change == known.change or (known.version and _same(row.to_version, known.version)) for known in mine
            ):
                return True
    return False


def _same(one: str, other: str) -> bool:
    return len(min(one, other, key=len)) >= _LEAST and (one.startswith(other) or other.startswith(one))
