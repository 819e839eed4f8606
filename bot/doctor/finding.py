"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FindingMark(StrEnum):
    """How a line begins. A note is something that was not tested, or that is fine to leave as it is."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class DoctorFinding:
    """One line. A problem has a next action."""

    mark: FindingMark
    subject: str
    detail: str
    next_action: str = ""

    def line(self) -> str:
        then = f" -> {self.next_action}" if self.next_action else ""
        text = f"{self.subject}: {self.detail}{then}"
        return f"{self.mark:8} {' '.join(text.split())}"


def ok(subject: str, detail: str) -> DoctorFinding:
    return DoctorFinding(mark=FindingMark.OK, subject=subject, detail=detail)


def note(subject: str, detail: str) -> DoctorFinding:
    return DoctorFinding(mark=FindingMark.NOTE, subject=subject, detail=detail)


def problem(subject: str, detail: str, next_action: str) -> DoctorFinding:
    return DoctorFinding(mark=FindingMark.PROBLEM, subject=subject, detail=detail, next_action=next_action)
