"""`pg_dump`, `pg_restore` and `psql` that fit the server: found, version-checked, and run without a secret in their
arguments.

A dump leaves out grants and the owner's policies when it is put back: the roles may be others there, and the walls are
laid anew from the models. https://www.postgresql.org/docs/current/app-pgdump.html
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from store.database.engine import driverless
from store.errors import BadBackup, MissingProgram, RestoreRefused

EVENTS_SCHEMA: Final = "autoheal_events"
_PLACES: Final = (
    "/usr/lib/postgresql/{major}/bin",
    "/usr/pgsql-{major}/bin",
    "/opt/homebrew/opt/postgresql@{major}/bin",
)
_VERSION: Final = re.compile(r"(\d+)(?:\.\d+)*")
_SAID: Final = 600
"""Characters of a program's complaint that are passed on; they hold no row."""


class Programs:
    """Those of one server. `folders` are looked through first, then PATH and where packages put them."""

    def __init__(self, url: str, major: int, folders: Sequence[Path] = ()) -> None:
        self._url = url
        self._major = major
        self._folders = folders

    def dump(self, target: Path, *, schemas: Iterable[str], tables: Iterable[str], but: Iterable[str]) -> None:
        """One snapshot, compressed, into a file: of whole schemas, or of tables."""
        chosen = [
            *(f"--schema={schema}" for schema in schemas),
            *(f"--table={table}" for table in tables),
            *(f"--exclude-table={table}" for table in but),
        ]
        self._run("pg_dump", ["--format=custom", "--no-owner", "--enable-row-security", f"--file={target}", *chosen])
        target.chmod(0o600)

    def contents(self, dump: Path) -> list[str]:
        """The lines of `pg_restore --list`. Raises BadBackup."""
        try:
            listed = self._run("pg_restore", ["--list", str(dump)])
        except RestoreRefused as exc:
            raise BadBackup(f"the dump in this backup cannot be read: {exc}") from exc
        return [line for line in listed.splitlines() if line and not line.startswith(";")]

    def restore(self, dump: Path, lines: Sequence[str], *, before: str, after: str) -> str:
        """`before`, the chosen lines of the contents, `after`: in one transaction; a failure changes nothing.

        Returns the one value that `after` selects.
        """
        chosen = dump.with_suffix(".list")
        chosen.write_text("\n".join(lines) + "\n")
        script = dump.with_suffix(".sql")
        script.touch(0o600)
        self._run("pg_restore", ["--no-owner", f"--use-list={chosen}", f"--file={script}", str(dump)])
        psql = [
            "--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction",
            f"--command={before}", f"--file={script}", f"--command={after}",
        ]  # fmt: skip
        try:
            return self._run("psql", psql).split()[-1]
        finally:
            script.unlink()
            chosen.unlink()

    def _run(self, program: str, arguments: list[str]) -> str:
        done = subprocess.run(
            [str(self._find(program)), *arguments],
            env={**os.environ, **_environment(self._url)},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise RestoreRefused(f"{program} failed, nothing was changed: {done.stderr.strip()[:_SAID]}")
        return done.stdout

    def _find(self, program: str) -> Path:
        """Of the server's major version, or the nearest newer one: an older `pg_dump` refuses a newer server."""
        known = {found: _major_of(found) for found in self._candidates(program)}
        fitting = sorted((major, found) for found, major in known.items() if major >= self._major)
        if not fitting:
            seen = ", ".join(f"{found} is of version {major}" for found, major in known.items()) or "none was found"
            raise MissingProgram(
                f"the server is PostgreSQL {self._major}, and no {program} of that version or newer is here ({seen}): "
                f"install postgresql-client-{self._major}, or name its folder in AUTOHEAL_POSTGRES_PROGRAMS"
            )
        return fitting[0][1]

    def _candidates(self, program: str) -> Iterable[Path]:
        for folder in self._folders:
            if (folder / program).is_file():
                yield folder / program
        on_path = shutil.which(program)
        if on_path:
            yield Path(on_path)
        for major in range(self._major, self._major + 4):
            for place in _PLACES:
                found = Path(place.format(major=major)) / program
                if found.is_file():
                    yield found


def _major_of(program: Path) -> int:
    told = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False).stdout
    found = _VERSION.search(told)
    return int(found.group(1)) if found else 0


def _environment(url: str) -> dict[str, str]:
    """The address as libpq's variables: arguments are seen by every user of the machine."""
    told = conninfo_to_dict(driverless(url))
    named = {option.keyword.decode(): option.envvar for option in pq.Conninfo.get_defaults()}
    unknown = [key for key in told if not named.get(key)]
    if unknown:
        raise RestoreRefused(f"the database's address names {', '.join(unknown)}, which pg_dump takes from no variable")
    variables = {named[key].decode(): str(value) for key, value in told.items()}  # type: ignore[union-attr]  # as above
    return {
        **variables,
        "PGOPTIONS": f"{variables.get('PGOPTIONS', '')} -c app.door=owner -c client_min_messages=warning".strip(),
    }


def restorable(lines: Iterable[str]) -> list[str]:
    """Without the schemas' own entries, the owner's policies, and grants outside of the events' schema."""
    return [line for line in lines if not _is_left_out(line)]


def _is_left_out(line: str) -> bool:
    words = line.split()[3:]
    match words:
        case ["SCHEMA" | "COMMENT" | "ACL", "-", *rest] if "public" in rest:
            return True
        case ["POLICY", *rest]:
            return "autoheal_owner" in rest
        case ["ACL" | "DEFAULT", *rest]:
            return EVENTS_SCHEMA not in rest and words[0] == "ACL"
    return False


def tables_in(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Schema and name of each table of a dump."""
    found = [line.split()[3:] for line in lines]
    return [(words[1], words[2]) for words in found if len(words) >= 3 and words[0] == "TABLE" and words[1] != "DATA"]
