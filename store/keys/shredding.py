"""The shred ledger: which data keys were destroyed. An append-only file that is kept apart from the keyring.

A backup of the keyring brings back keys that were shredded after it was made. So the ledger is applied before any key
loads, and a keyring that has a ledger does not open without it, nor with a shorter one: no ledger, no restore. Do not
put it into the same backup as the keyring.

JSON objects, one a line: first `{"ledger_id", "begun_at", "chain"}`, then `{"tenant_id", "dek_id", "shredded_at",
"chain"}`, where chain is SHA-256("AHSHRED1" | chain of the line before | canonical JSON of the rest). A line is on disk
before the key that it names is deleted.

How long the ledger was, its high-water mark, is kept in the keyring and, where the operator names a place, in a small
file elsewhere: an old copy of a folder that holds ledger, keyring and master key fits together, and only what lies
outside of it can tell that it is old. Whoever rewrites ledger, keyring and that file is not found out.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from store.errors import BrokenShredLedger, NoShredLedger
from store.ids import new_id
from store.whole_file import create_whole, replace_whole

_TAG = b"AHSHRED1"
_BEGINNING = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Shredded:
    """One data key that is gone."""

    tenant_id: str
    dek_id: str
    shredded_at: datetime


@dataclass(frozen=True, kw_only=True)
class LedgerMark:
    """How many lines the ledger had, and the chain of the last one. The keyring keeps the newest mark that it saw."""

    length: int
    head: str


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The ledger as read. `chains` has one hash a line, the first line's included."""

    entries: tuple[Shredded, ...]
    chains: tuple[str, ...]

    @property
    def mark(self) -> LedgerMark:
        return LedgerMark(length=len(self.chains), head=self.chains[-1])

    @property
    def tenants(self) -> frozenset[str]:
        return frozenset(entry.tenant_id for entry in self.entries)


class ShredLedger:
    """The file. Its methods block on the disk for a moment; call them off the loop."""

    def __init__(self, path: Path, mark: Path | None = None) -> None:
        """`mark`: where the high-water mark is kept as well, apart from the ledger."""
        self.path = path
        self.mark_path = mark

    def read(self) -> Ledger | None:
        """None where there is no file. Raises BrokenShredLedger."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return None
        return self._parse(raw)

    def begin(self, at: datetime) -> Ledger:
        """A new, empty ledger; or the one that another process began in the same moment."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        first = {"ledger_id": new_id(), "begun_at": at.isoformat()}
        create_whole(self.path, _line(first, _BEGINNING))
        ledger = self.read()
        if ledger is None:
            raise NoShredLedger(f"the shred ledger {self.path} vanished while it was begun")
        return ledger

    def append(self, entries: Sequence[Shredded], *, known: LedgerMark | None) -> Ledger:
        """On disk when it returns, the mark elsewhere too. Keys that the ledger names already are not named twice.
        Raises as `check` does.
        """
        with self._locked() as file:
            raw = file.read()
            ledger = self._parse(raw)
            self.check(ledger, known)
            file.truncate(raw.rfind(b"\n") + 1)  # half a line, of a crash: nothing was deleted on its account
            file.seek(0, os.SEEK_END)
            named = {entry.dek_id for entry in ledger.entries}
            chain = ledger.chains[-1]
            for entry in entries:
                if entry.dek_id in named:
                    continue
                line = _line(_entry_json(entry), chain)
                chain = json.loads(line)["chain"]
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
            grown = self.read()
            if grown is None:
                raise NoShredLedger(f"the shred ledger {self.path} vanished while it was written")
            self._keep_elsewhere(grown)
        return grown

    def write_mark(self, ledger: Ledger, *, anew: bool = False) -> None:
        """Keeps the mark elsewhere, where a place is named; `anew` also where it goes backwards."""
        with self._locked():
            self._keep_elsewhere(ledger, anew=anew)

    def check(self, ledger: Ledger | None, known: LedgerMark | None, *, marked: bool = False) -> None:
        """Raises NoShredLedger unless this is the ledger that the keyring knows and the mark elsewhere names, or a
        longer one. `marked`: there is such a mark, so one that is missing was lost.
        """
        self._check(ledger, known, "this keyring has seen")
        if marked and self.mark_path is None:
            raise NoShredLedger(
                "no mark, no start: the high-water mark of this keyring's shred ledger is kept in a file elsewhere, "
                "but none is configured here: set AUTOHEAL_SHRED_MARK to it, or run `autoheal keys shred-ledger "
                "--anchor-anew` once without it to keep none from now on. Nothing was loaded or changed"
            )
        elsewhere = self._elsewhere()
        if elsewhere is None and marked:
            raise NoShredLedger(
                f"no mark, no start: {self.mark_path}, the high-water mark of the shred ledger, is missing, and it was "
                "there before. Mount its disk or put its newest copy there; if it is lost for good and "
                f"{self.path} is the newest ledger, `autoheal keys shred-ledger --anchor-anew` writes it again. "
                "Nothing was loaded or changed"
            )
        self._check(ledger, elsewhere, f"{self.mark_path} says")

    def _check(self, ledger: Ledger | None, known: LedgerMark | None, says: str) -> None:
        if known is None:
            return
        advice = (
            "Put the newest copy of the ledger there, or name its place in AUTOHEAL_SHRED_LEDGER: without it, keys "
            "that were shredded could come back. Nothing was loaded or changed"
        )
        if ledger is None:
            raise NoShredLedger(f"no ledger, no restore: the shred ledger {self.path} is missing. {advice}")
        if len(ledger.chains) < known.length:
            raise NoShredLedger(
                f"no ledger, no restore: the shred ledger {self.path} has {len(ledger.chains)} lines, "
                f"{says} {known.length}: its end was cut off, or it is an old copy. {advice}"
            )
        if ledger.chains[known.length - 1] != known.head:
            raise NoShredLedger(
                f"no ledger, no restore: the shred ledger {self.path} is another keyring's, or was rewritten. {advice}"
            )

    def _elsewhere(self) -> LedgerMark | None:
        """The mark that is kept elsewhere. None where no place is named, or nothing is there yet."""
        if self.mark_path is None:
            return None
        try:
            fields = json.loads(self.mark_path.read_bytes())
            return LedgerMark(length=int(fields["length"]), head=str(fields["head"]))
        except FileNotFoundError:
            if self.mark_path.parent.is_dir():
                return None
            raise NoShredLedger(
                f"no mark, no start: the folder {self.mark_path.parent} of the shred ledger's high-water mark is not "
                "there: mount its disk, make it, or correct AUTOHEAL_SHRED_MARK. Nothing was loaded or changed"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise NoShredLedger(
                f"no mark, no start: {self.mark_path}, the high-water mark of the shred ledger, cannot be read "
                f"({type(exc).__name__}): put its newest copy there. Nothing was loaded or changed"
            ) from exc

    def _keep_elsewhere(self, ledger: Ledger, *, anew: bool = False) -> None:
        if self.mark_path is None:
            return
        known = None if anew else self._elsewhere()
        if known is not None and known.length >= ledger.mark.length:
            return
        content = {"length": ledger.mark.length, "head": ledger.mark.head, "ledger": str(self.path)}
        try:
            replace_whole(self.mark_path, json.dumps(content).encode() + b"\n")
        except OSError as exc:
            raise NoShredLedger(
                f"{self.mark_path}, the high-water mark of the shred ledger, cannot be written ({exc.strerror}): let "
                "this user write it. No key was destroyed on this account; what the ledger names is destroyed at the "
                "next start that can write it"
            ) from exc

    @contextmanager
    def _locked(self) -> Iterator[Any]:
        try:
            file = self.path.open("r+b")
        except FileNotFoundError as exc:
            raise NoShredLedger(f"the shred ledger {self.path} is missing: nothing was shredded") from exc
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _parse(self, raw: bytes) -> Ledger:
        """Whole lines only: what follows the last line break is a crash's and was never acted upon."""
        entries: list[Shredded] = []
        chains: list[str] = []
        chain = _BEGINNING
        for number, line in enumerate(raw[: raw.rfind(b"\n") + 1].splitlines(), start=1):
            try:
                chain, entry = _read_line(line, chain)
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise BrokenShredLedger(
                    f"the shred ledger {self.path} was changed at line {number}: restore it from its own copy. Nothing "
                    "was loaded or changed"
                ) from exc
            chains.append(chain)
            if entry is not None:
                entries.append(entry)
        if not chains:
            raise BrokenShredLedger(f"the shred ledger {self.path} is empty: restore it from its own copy")
        return Ledger(entries=tuple(entries), chains=tuple(chains))


def _entry_json(entry: Shredded) -> dict[str, str]:
    return {"tenant_id": entry.tenant_id, "dek_id": entry.dek_id, "shredded_at": entry.shredded_at.isoformat()}


def _read_line(line: bytes, before: str) -> tuple[str, Shredded | None]:
    """Its chain, and the key that it names; the first line names none."""
    fields = json.loads(line)
    told = fields.pop("chain")
    if told != _link(before, fields):
        raise ValueError("its chain does not fit the line before")
    if before == _BEGINNING:
        return told, None
    at = datetime.fromisoformat(fields["shredded_at"])
    return told, Shredded(tenant_id=fields["tenant_id"], dek_id=fields["dek_id"], shredded_at=at)


def _line(fields: dict[str, str], chain: str) -> bytes:
    return json.dumps({**fields, "chain": _link(chain, fields)}).encode() + b"\n"


def _link(chain: str, fields: dict[str, str]) -> str:
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(_TAG + bytes.fromhex(chain) + canonical.encode()).hexdigest()
