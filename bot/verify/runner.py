"""Runs the checks: all plant, then one look at everything, then each judges. One check's trouble is not another's."""

from __future__ import annotations

import hashlib
import logging
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import make_url

from agents.failure import log_failure
from bot.opening import now
from bot.settings import Settings
from bot.verify.attestations import attested
from bot.verify.drill import remove_left_over
from bot.verify.finding import Broken, VerifyFinding
from bot.verify.promise import NeedsAttestation, NotApplicable, Promise, Proved, Seen, discover_promises
from bot.verify.report import canonical, make_report, sign_report
from bot.verify.reports import name_of, path_of
from bot.verify.site import Site, clean_up, open_site
from store.errors import StoreError
from store.whole_file import replace_whole

log = logging.getLogger("autoheal.verify")
_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGES: Final = ("bot", "handlers", "agents", "store")


class UnknownPromise(Exception):
    """`--only` names a promise that there is no check for."""


def chosen(only: Sequence[str]) -> dict[str, Promise]:
    """Raises UnknownPromise."""
    known = discover_promises()
    unknown = [name for name in only if name not in known]
    if unknown:
        raise UnknownPromise(f"there is no check {unknown[0]}; there are {', '.join(known)}")
    return {name: promise for name, promise in known.items() if not only or name in only}


async def verify(settings: Settings, promises: Mapping[str, Promise]) -> dict[str, Any]:
    """The signed report, also written to the folder of reports. Raises what opening the store raises."""
    await remove_left_over(settings)
    async with open_site(settings) as site:
        findings = await judge(site, promises)
        signer, db = site.signer, site.db
        identity = {
            "deployment": signer.fingerprint,
            "database": db.dialect,
            "configuration_sha256": configuration_hash(settings),
            **code_identity(),
        }
        clean = await clean_up(db, site.days)
        report = sign_report(make_report(findings, at=now(), identity=identity, cleaned_up=clean), signer)
    _keep(path_of(settings), report)
    return report


async def judge(site: Site, promises: Mapping[str, Promise]) -> list[VerifyFinding]:
    trouble: dict[str, VerifyFinding] = {}
    for name, promise in promises.items():
        try:
            await promise.plant(site)
        except (Broken, StoreError) as exc:
            trouble[name] = _finding(promise, "failed", str(exc))
        except Exception as exc:  # noqa: BLE001 -- the outer guard of a check: the others go on
            trouble[name] = _finding(promise, "failed", _unexpected(promise, exc))
    await site.look()
    return [trouble.get(name) or await _judge(site, promise) for name, promise in promises.items()]


async def _judge(site: Site, promise: Promise) -> VerifyFinding:
    try:
        seen = await promise.check(site)
    except (Broken, StoreError) as exc:  # a refusal of the store says what to do
        return _finding(promise, "failed", str(exc))
    except Exception as exc:  # noqa: BLE001 -- the outer guard of a check: what cannot be observed is not proved
        return _finding(promise, "failed", _unexpected(promise, exc))
    return _conclude(site, promise, seen)


def _conclude(site: Site, promise: Promise, seen: Seen) -> VerifyFinding:
    match seen:
        case Proved():
            return VerifyFinding(
                promise=promise.id,
                title=promise.title,
                outcome="proved",
                sentence=seen.sentence,
                observed=seen.observed,
                not_observed=seen.not_observed,
            )
        case NotApplicable():
            return _finding(promise, "not_applicable", f"{seen.setting}: {seen.sentence}")
        case NeedsAttestation():
            stated = attested(site.settings.data, site.signer, promise.id, site.clock())
            if stated is None:
                advice = f"`autoheal verify --attest {promise.id} --statement TEXT --by NAME` states it for 90 days"
                return _finding(promise, "failed", f"{seen.sentence} Nobody attests it: {advice}.")
            said = f"{stated.by} on {stated.at:%Y-%m-%d}: {stated.statement}"
            return _finding(promise, "attested", f"{seen.sentence} {said}")


def _finding(promise: Promise, outcome: Any, sentence: str) -> VerifyFinding:
    return VerifyFinding(promise=promise.id, title=promise.title, outcome=outcome, sentence=sentence)


def _unexpected(promise: Promise, exc: Exception) -> str:
    reference = log_failure(log, "verify.check_broke", exc, promise=promise.id)
    return f"the check itself broke ({type(exc).__name__}, reference {reference}), so nothing was proved"


def configuration_hash(settings: Settings) -> str:
    """Of every setting; of secrets only whether they are set."""
    values = {name: _without_secrets(value) for name, value in settings}
    return hashlib.sha256(canonical(values)).hexdigest()


def _without_secrets(value: object) -> object:
    if isinstance(value, SecretStr):
        return bool(value)
    if isinstance(value, str) and "://" in value:
        return make_url(value).render_as_string() if value.startswith("postgres") else value
    return None if value is None else str(value)


def code_identity() -> dict[str, str | None]:
    """Version, commit where the code is a checkout, and the digest of all its files."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*.py")):
            digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    try:
        known: str | None = version("autoheal")
    except PackageNotFoundError:
        known = None
    return {"version": known, "commit": _commit(), "code_sha256": digest.hexdigest()}


def _commit() -> str | None:
    if not (_ROOT / ".git").exists():
        return None
    done = subprocess.run(
        ["git", "-C", str(_ROOT), "rev-parse", "HEAD"],  # noqa: S607 -- where git lies differs; the worst is no commit
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return done.stdout.strip() or None


def _keep(folder: Path, report: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_whole(folder / name_of(datetime.fromisoformat(report["report"]["at"])), canonical(report) + b"\n")
