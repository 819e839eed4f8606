"""`autoheal doctor`: tests every credential, scope and channel, and says for each problem what to do next.

It reads and changes nothing, so it may run beside `autoheal serve`. Each check has a time-out and prints one line. What
is printed passes a mask of the settings' own secrets, since a library's error may quote what it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from bot.doctor.connections import check_connections
from bot.doctor.finding import DoctorFinding, FindingMark, ok, problem
from bot.doctor.host import check_databases, check_engine, check_folder
from bot.doctor.slack import check_slack
from bot.doctor.sources import check_claude, check_operator_file
from bot.doctor.variables import mask_of, read_settings

CHECK_S: Final = 15.0
_SETTINGS: Final = "settings"


async def examine(*, check_s: float = CHECK_S) -> int:
    """Prints as it goes. Exit code 1 when there is a problem. `check_s` bounds each check."""
    found: list[DoctorFinding] = []
    settings, wrong = read_settings()
    mask = mask_of(settings)
    checks: list[tuple[str, Callable[[], AsyncIterator[DoctorFinding]]]] = [
        (_SETTINGS, lambda: _each(wrong or [ok(_SETTINGS, "complete and readable")])),
        ("data folder", lambda: check_folder(settings)),
        ("database", lambda: check_databases(settings)),
        ("engine", lambda: check_engine(settings)),
        ("Slack", lambda: check_slack(settings)),
        ("Claude", lambda: check_claude(settings)),
        ("operator's file", lambda: check_operator_file(settings, check_s)),
        ("connections", lambda: check_connections(settings)),
    ]
    for subject, check in checks:
        async for finding in _bounded(subject, check(), check_s):
            found.append(finding)
            print(mask(finding.line()), flush=True)
    problems = sum(finding.mark is FindingMark.PROBLEM for finding in found)
    print("Nothing to mend." if problems == 0 else f"{problems} to mend.")
    return 1 if problems else 0


async def _each(findings: Iterable[DoctorFinding]) -> AsyncIterator[DoctorFinding]:
    for finding in findings:
        yield finding


async def _bounded(
    subject: str, findings: AsyncIterator[DoctorFinding], seconds: float
) -> AsyncIterator[DoctorFinding]:
    """What a check finds. When its next finding takes longer than `seconds`, that is the problem, and it ends."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                finding = await anext(findings)
        except StopAsyncIteration:
            return
        except TimeoutError:
            yield problem(
                subject, f"no answer within {seconds:g} s", "see whether it can be reached from this host, and repeat"
            )
            return
        yield finding
