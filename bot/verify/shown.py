"""A report for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bot.opening import now, open_database
from bot.settings import Settings, SettingsError
from bot.upkeep import open_signer
from bot.verify import attestations
from bot.verify.attestations import Attestation
from bot.verify.promise import discover_promises

_WORDS: Final = {
    "proved": "proved",
    "attested": "attested",
    "not_applicable": "not applicable",
    "failed": "FAILED",
}


def lines(report: dict[str, Any]) -> Iterator[str]:
    for finding in report["findings"]:
        yield f"{finding['promise']:4} {_WORDS[finding['outcome']]:15} {finding['title']}: {finding['sentence']}"
        for unseen in finding["not_observed"]:
            yield f"{'':21}not observed: {unseen}"
    counts = ", ".join(f"{count} {_WORDS[outcome]}" for outcome, count in report["counts"].items() if count)
    yield f"{counts}. Deployment {report['deployment'][:12]} on {report['database']}, {report['at'][:16]} UTC."
    if not report["cleaned_up"]:
        yield "A synthetic tenant could not be removed: run `autoheal verify` again; it removes it first."


async def attest(settings: Settings, promise: str, statement: str, by: str) -> None:
    """Raises SettingsError for a promise that there is not."""
    if promise not in discover_promises():
        raise SettingsError(f"there is no promise {promise}; there are {', '.join(discover_promises())}")
    async with open_database(settings) as (_, keys):
        signer = await open_signer(settings, keys)
    attestations.attest(settings.data, signer, Attestation(promise=promise, statement=statement, by=by, at=now()))
