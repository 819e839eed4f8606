"""What a change altered, from the text of its unified diff: settings, code, queries, what it keeps.

Only shapes that hold in most languages and formats are read; what is not understood counts as plain code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

_SETTING: Final = re.compile(r"""\s*["']?([A-Za-z_][\w.-]*)["']?\s*[:=]\s*(["']?[\w./:%+-]+["']?)\s*[,;]?\s*(?:#.*)?""")
_SECTION: Final = re.compile(r"\s*\[+([\w.\" -]+)\]+\s*|([\w-]+):\s*")
_SQL: Final = re.compile(r"\b(select|insert into|update|delete from|join|where|order by|group by)\b", re.IGNORECASE)
_FROM: Final = re.compile(r"\bfrom\b", re.IGNORECASE)
_DEFINES: Final = re.compile(r"(?:def|func|function|fn|class)\s+([A-Za-z_]\w*)")
_KEEPS: Final = re.compile(
    r"^\w+\s*(?::[^=]+)?=\s*(?:\{\}|\[\]|dict\(\)|list\(\)|set\(\)|new (?:Map|HashMap|ArrayList)\b.*)"
    r"|\.(?:append|push|add|put|extend)\(|\w\[[^\]]+\]\s*=(?!=)|\bl?r?u?_?cache\b",
    re.IGNORECASE,
)
_SETTINGS_FILES: Final = frozenset(
    (".toml", ".yaml", ".yml", ".json", ".ini", ".env", ".conf", ".cfg", ".properties", ".tf")
)
_TEXT_FILES: Final = frozenset((".md", ".rst", ".txt"))
_WORD: Final = re.compile(r"[A-Za-z][a-z]+|[A-Z]{2,}")


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMON: Final = word_set(
    """the and for with from not none null true false self return import def class get set new old max min seconds
    second total number value values name names id ids int str float key item items list dict data app main error errors
    http request requests response answer service services config settings default post put mean ratio rate call calls
    within over after before more than that this was were are has have one two per all any"""
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A value that was set anew. `section` is the table or block it stands in, empty if none was seen."""

    key: str
    section: str
    old: str
    new: str
    line: str

    @property
    def lowered(self) -> bool:
        try:
            return float(self.new) < float(self.old)
        except ValueError:
            return False

    @property
    def words(self) -> frozenset[str]:
        return words_of(f"{self.section} {self.key}")


@dataclass(kw_only=True)
class Hunk:
    """One altered place of one file. `inside` is the function in which it begins, `altered` are all whose lines
    changed, `functions` all that are named in it.
    """

    path: str
    inside: str = ""
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    around: list[str] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    current: str = ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def is_code(self) -> bool:
        return PurePosixPath(self.path).suffix.lower() not in _SETTINGS_FILES | _TEXT_FILES

    @property
    def sql(self) -> bool:
        """Whether a query was altered."""
        return self.is_code and any(_SQL.search(line) for line in (*self.added, *self.removed))

    @property
    def only_columns(self) -> bool:
        """Whether the altered query reads from the same tables under the same conditions as before."""
        before, after = (_source_of(lines) for lines in (self.removed, self.added))
        return bool(before) and before == after

    @property
    def telling(self) -> str:
        """The altered line with most words that were not there before, with its sign."""
        known = words_of(" ".join(self.removed))
        if self.added:
            return "+" + max(self.added, key=lambda line: len(words_of(line) - known))
        return f"-{self.removed[0]}" if self.removed else ""

    @property
    def place(self) -> str:
        """The function, else the file."""
        return self.inside or self.name

    @property
    def kept(self) -> str:
        """The first added line that keeps something beyond a request, or empty."""
        return next((line for line in self.added if self.is_code and _KEEPS.search(line)), "")


def _source_of(lines: list[str]) -> str:
    """What follows the one FROM of a query, or empty where there is none or more than one."""
    parts = _FROM.split(" ".join(" ".join(lines).split()))
    return parts[1].strip() if len(parts) == 2 else ""


def words_of(text: str) -> frozenset[str]:
    """The telling words of identifiers and prose, lower case, three letters and more."""
    found = (w.lower() for w in _WORD.findall(text.replace("_", " ")))
    return frozenset(w for w in found if len(w) > 2 and w not in _COMMON)


def read_diff(text: str) -> list[Hunk]:
    hunks: list[Hunk] = []
    path, section = "", ""
    pending: list[tuple[str, str, str]] = []
    for line in text.splitlines():
        if line.startswith("diff --git "):
            path = line.rpartition(" b/")[2]
        elif line.startswith("@@") and path:
            heading = line.rpartition("@@")[2]
            named = _DEFINES.findall(heading)
            hunks.append(Hunk(path=path, functions=set(named), inside=named[-1] if named else ""))
            hunks[-1].current = hunks[-1].inside
            pending, section = [], _section(heading)
        elif hunks and hunks[-1].path == path and line[:1] in ("+", "-", " "):
            section = _section(line[1:]) or section
            _take(hunks[-1], line, section, pending)
    return hunks


def _take(hunk: Hunk, line: str, section: str, pending: list[tuple[str, str, str]]) -> None:
    sign, body = line[0], line[1:]
    named = _DEFINES.findall(body)
    hunk.functions.update(named)
    if named:
        hunk.current = named[-1]
        if not hunk.added and not hunk.removed:
            hunk.inside = named[-1]
    if sign == " ":
        hunk.around.append(body)
        return
    if hunk.current and body.strip():
        hunk.altered.add(hunk.current)
    (hunk.added if sign == "+" else hunk.removed).append(body)
    if (match := _SETTING.fullmatch(body)) is None:
        return
    key, value = match.group(1), match.group(2).strip("\"'")
    if sign == "-":
        pending.append((section, key, value))
        return
    old = next((p for p in pending if p[1] == key), None)
    if old is not None and old[2] != value:
        pending.remove(old)
        hunk.settings.append(Setting(key=key, section=section, old=old[2], new=value, line=line))


def _section(line: str) -> str:
    match = _SECTION.fullmatch(line)
    return (match.group(1) or match.group(2) or "") if match else ""
