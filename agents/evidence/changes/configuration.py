"""Settings of configuration files as flat keys with their values, and what of them differs between two versions.

TOML, YAML, JSON, INI, .properties and .env. Pure; runs in the evidence worker, since a parser of a stranger's file may
take long. What cannot be parsed is named. https://toml.io, https://yaml.org/spec/1.2.2
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import yaml

Kind = Literal["", "same", "changed", "added", "removed"]
_DEEPEST: Final = 20
_MOST_KEYS: Final = 2_000  # of a file
_LONGEST_VALUE: Final = 160
_ASSIGNED: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][\w.\-]*)\s*[=:]\s*(.*?)\s*")
_FOLDERS: Final = frozenset({"config", "configs", "conf", "settings", "deploy", "k8s", "kubernetes", "helm", "charts"})
_BUILDS: Final = frozenset(
    {"package.json", "tsconfig.json", "pyproject.toml", "cargo.toml", "setup.cfg", "tox.ini", "composer.json"}
)
_REDACTED: Final = "[redacted:"
_TESTS: Final = frozenset({"test", "tests", "testdata", "fixtures", "__tests__", ".github", ".vscode", ".idea"})


@dataclass(frozen=True, kw_only=True)
class FileSetting:
    """One key of a file. `value` is None where it is gone, `before` where it is new or nothing was compared."""

    path: str
    key: str
    value: str | None
    before: str | None = None
    kind: Kind = ""


@dataclass(frozen=True, kw_only=True)
class SettingsRead:
    """Those that differ come first. `unread` are sentences on files that could not be parsed."""

    settings: tuple[FileSetting, ...]
    unread: tuple[str, ...] = ()


def is_configuration(path: str) -> bool:
    """By its name: whether a program reads its settings there. Not what builds or tests it."""
    file = PurePosixPath(path.lower())
    return _parser(path) is not None and file.name not in _BUILDS and not _TESTS.intersection(file.parts[:-1])


def likely_first(path: str) -> tuple[int, int]:
    """A sort key: what is called configuration before what has only its form, the upper folders first."""
    file = PurePosixPath(path.lower())
    named = re.search(r"config|settings|values|\benv\b|application", file.name) is not None
    return 0 if named else 1 if _FOLDERS.intersection(file.parts[:-1]) else 2, len(file.parts)


def compare_settings(now: Mapping[str, str], before: Mapping[str, str] | None) -> SettingsRead:
    """The settings of these texts, by path; with `before`, which of them differ."""
    unread: list[str] = []
    found: list[FileSetting] = []
    for path in dict.fromkeys((*now, *(before or ()))):
        new = _parsed(path, now.get(path), unread)
        if before is None:
            found += [FileSetting(path=path, key=key, value=value) for key, value in (new or {}).items()]
            continue
        old = _parsed(path, before.get(path), unread)
        if new is None or old is None:
            continue  # half a comparison would call all of it new, or gone
        for key in dict.fromkeys((*new, *old)):
            one, other = new.get(key), old.get(key)
            found.append(FileSetting(path=path, key=key, value=one, before=other, kind=_became(one, other)))
    found.sort(key=lambda one: one.kind in ("same", ""))
    return SettingsRead(settings=tuple(found), unread=tuple(dict.fromkeys(unread)))


def _became(value: str | None, before: str | None) -> Kind:
    if before is None:
        return "added"
    if value is None:
        return "removed"
    if value != before:
        return "changed"
    return "" if _REDACTED in value else "same"  # two secrets look alike


def _parsed(path: str, text: str | None, unread: list[str]) -> dict[str, str] | None:
    """Keys and values in the file's order; {} where there is no such file, None where it cannot be parsed."""
    parse = _parser(path)
    if text is None or parse is None:
        return {}
    try:
        keys = list(islice(_flat(parse(text)), _MOST_KEYS + 1))
    except (ValueError, yaml.YAMLError, configparser.Error, RecursionError) as exc:
        unread.append(
            f"{path} could not be parsed as {_SUFFIXES.get(_suffix(path), 'settings')} ({type(exc).__name__})"
        )
        return None
    if len(keys) > _MOST_KEYS:
        unread.append(f"{path}: only its first {_MOST_KEYS} keys were read")
    return dict(keys[:_MOST_KEYS])


def _flat(node: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        yield key, "(deeper than is read)"
    elif isinstance(node, Mapping) and node:
        for name, value in node.items():
            yield from _flat(value, f"{key}.{name}" if key else str(name), depth + 1)
    elif isinstance(node, list) and any(isinstance(one, Mapping | list) for one in node):
        for place, value in enumerate(node):
            named = value.get("name", place) if isinstance(value, Mapping) else place
            yield from _flat(value, f"{key}[{named}]", depth + 1)
    else:
        yield key, _written(node)


def _written(value: Any) -> str:
    """As a file would write it, on one line."""
    if isinstance(value, str):
        text = " ".join(value.split())
    elif isinstance(value, list):
        text = f"[{', '.join(map(_written, value[:50]))}]"
    else:
        text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _yaml(text: str) -> Any:
    documents = [one for one in yaml.load_all(text, Loader=_LOADER) if one is not None]
    if len(documents) == 1:
        return documents[0]
    return {_name_of(one, place): one for place, one in enumerate(documents)}


def _name_of(document: Any, place: int) -> str:
    """Of one of several documents, as of a cluster's manifests."""
    if not isinstance(document, Mapping):
        return str(place)
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return f"{document.get('kind', place)}/{name}" if name else str(document.get("kind", place))


def _ini(text: str) -> Any:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as documented; keys keep their case
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def _assignments(text: str) -> Any:
    """`KEY=value` lines, of .env and .properties."""
    found = (_ASSIGNED.fullmatch(line) for line in text.split("\n") if line.lstrip()[:1] not in ("#", "!", ""))
    return {match[1]: match[2].strip("\"'") for match in found if match}


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former where PyYAML was built with libyaml
_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "TOML": tomllib.loads,
    "YAML": _yaml,
    "JSON": json.loads,
    "INI": _ini,
    "assignments": _assignments,
}
_SUFFIXES: Final = {
    ".toml": "TOML",
    ".yaml": "YAML",
    ".yml": "YAML",
    ".json": "JSON",
    ".ini": "INI",
    ".cfg": "INI",
    ".env": "assignments",
    ".properties": "assignments",
}


def _suffix(path: str) -> str:
    name = PurePosixPath(path.lower()).name
    return ".env" if name.startswith(".env") else PurePosixPath(name).suffix


def _parser(path: str) -> Callable[[str], Any] | None:
    return _PARSERS.get(_SUFFIXES.get(_suffix(path), ""))
