"""Tools over all connected sources that hold code: lines, files and settings of a service at a version that ran.

They stand beside the other tools of an investigation only where such a source is connected. Docstrings are prompts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, TypeVar

from pydantic import Field

from agents.connecting.machine_written import is_machine_written
from agents.connecting.source_code import (
    LARGEST_FILE,
    CodeFile,
    CodeSource,
    FilesAt,
    altered_paths,
    by_relevance,
    owner_of,
)
from agents.connecting.toolbox import Toolbox
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.evidence.changes.configuration import FileSetting, compare_settings, is_configuration, likely_first
from agents.evidence.types import Change
from agents.investigation.coverage import Look
from agents.processes.evidence_pool import TenantTurns
from agents.rows import Configured, Contents, Row, Searched, Tracked, Unread
from agents.tool import Arguments, Tool, ToolOutput, tool, tools_of

T = TypeVar("T")
_TIMEOUT_S: Final = 60.0
_SHORT: Final = 10  # characters of a commit id, as lines show it
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_FILES_SEARCHED: Final = 40
_LINES_SHOWN: Final = 60
_LINES_OF_A_FILE: Final = 10
_LONGEST_LINE: Final = 300
_FILES_SHOWN: Final = 200
_FILES_CONFIGURED: Final = 25
_SETTINGS_SHOWN: Final = 120
_KNOWN_SHOWN: Final = 5


class AtVersion(Arguments):
    """Of which service, at which version, in which folder."""

    service: str = Field(description="A declared service.")
    version: str = Field(
        default="",
        max_length=200,
        description="A commit id of at least 7 characters, or the id of a change; what runs now when left out.",
    )
    under: str = Field(default="", max_length=300, description="Only in this folder of the repository, or this file.")


class SearchCode(AtVersion):
    """What to look for."""

    text: str = Field(
        min_length=2, max_length=200, pattern=r"^[^\r\n]+$", description="As it stands in one line; case is ignored."
    )


class ListFiles(AtVersion):
    """Which ones."""

    name: str = Field(default="", max_length=200, description="Only paths that hold this text.")


class ReadConfig(AtVersion):
    """What to compare with."""

    before: str = Field(
        default="",
        max_length=200,
        description="The version to compare with; the one that was deployed before when left out.",
    )


@dataclass(frozen=True, kw_only=True)
class _Code:
    """The files of a service at a version in one source, and those of the version before, where one is known."""

    source: CodeSource
    title: str
    service: str
    at: FilesAt
    before: FilesAt | None
    gaps: tuple[str, ...]

    @property
    def altered(self) -> frozenset[str]:
        return altered_paths(self.at, self.before) if self.before is not None else frozenset()


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What was looked for, by which filters, and what there is of it; `rows` are those that are shown."""

    what: str
    head: str
    rows: Sequence[Row]
    count: int
    wanted: Mapping[str, str] = field(default_factory=dict)


class CodeTools:
    """Bound to one tenant's sources."""

    def __init__(self, toolbox: Toolbox, pool: TenantTurns) -> None:
        self._toolbox, self._pool = toolbox, pool

    def tools(self) -> list[Tool]:
        return tools_of(self, source="evidence") if self._toolbox.code else []

    @tool(timeout_s=_TIMEOUT_S)
    async def search_code(self, arguments: SearchCode) -> ToolOutput:
        """Lines of a service's code that hold a text, at the version that runs or at another one, with file and number.

        Use it to find where a logged message, a setting or a time-out comes from. Not for what a change altered: that
        is read_diff. Not for logs: search_logs.
        Example: {"service": "checkout", "text": "pool exhausted"}
        """
        code = await self._code(arguments)
        gaps = list(code.gaps)
        files = self._ordered(code, [f for f in code.at.files if _is_under(f.path, arguments.under)])
        holding = await code.source.files_with(code.service, code.at, arguments.text)
        files = [f for f in files if f.size <= LARGEST_FILE and (holding is None or f.path in holding)]
        if len(files) > _FILES_SEARCHED:
            gaps.append(f"{len(files) - _FILES_SEARCHED} further files were not searched; `under` narrows it")
        read = await code.source.read_texts(code.service, files[:_FILES_SEARCHED])
        gaps += read.gaps
        found = [
            self._line(code, path, 0 if path in read.shifted else number, line)
            for path, text in read.texts.items()
            for number, line in _holding(text, arguments.text)
        ]
        rows = _few_of_each(found)
        if len(rows) < len(found):
            gaps.append(f"{len(found) - len(rows)} further lines are not shown")
        files_read = counted(len(read.texts), "file") if holding is None else counted(len(code.at.files), "file")
        head = f"{counted(len(found), 'line')} at {code.at.version[:_SHORT]}, of {files_read}"
        wanted = {"text": arguments.text, **({"under": arguments.under} if arguments.under else {})}
        return _answer(code, _Found(what="code lines", head=head, rows=rows, count=len(found), wanted=wanted), gaps)

    @tool(timeout_s=_TIMEOUT_S)
    async def list_files(self, arguments: ListFiles) -> ToolOutput:
        """Paths and sizes of a service's files at a version: those that changed since the version before come first.

        Use it to see what there is before search_code or read_config. Not for what stands in a file.
        Example: {"service": "checkout", "name": "config"}
        """
        code = await self._code(arguments)
        name = arguments.name.lower()
        files = [f for f in code.at.files if _is_under(f.path, arguments.under) and name in f.path.lower()]
        ordered, altered, gaps = self._ordered(code, files), code.altered, list(code.gaps)
        if len(ordered) > _FILES_SHOWN:
            gaps.append(f"{len(ordered) - _FILES_SHOWN} further files are not shown; `under` narrows it")
        rows = [
            Tracked(
                service=self._owner(code, file.path),
                path=file.path,
                version=code.at.version,
                size=file.size,
                altered=file.path in altered,
                link=code.at.link(file.path),
                line=f"{file.path} ({file.size} B{', changed since the version before' * (file.path in altered)})",
            )
            for file in ordered[:_FILES_SHOWN]
        ]
        head = f"{counted(len(files), 'file')} at {code.at.version[:_SHORT]}"
        wanted = {k: v for k, v in (("name", arguments.name), ("under", arguments.under)) if v}
        return _answer(code, _Found(what="files", head=head, rows=rows, count=len(files), wanted=wanted), gaps)

    @tool(timeout_s=_TIMEOUT_S)
    async def read_config(self, arguments: ReadConfig) -> ToolOutput:
        """The settings in a service's configuration files at a version, those first that differ from the version
        before, each with its value then and now.

        Use it when a limit, a pool, a time-out or an address may be wrong. It reads files only: what environment
        variables or a flag service set when it runs does not stand there.
        Example: {"service": "checkout", "version": "4f2a91c"}
        """
        code = await self._code(arguments)
        gaps, files = list(code.gaps), self._configuration(code, arguments.under)
        if len(files) > _FILES_CONFIGURED:
            gaps.append(f"{len(files) - _FILES_CONFIGURED} further files were not read; `under` narrows it")
        now, before = await _texts(code, files[:_FILES_CONFIGURED], gaps)
        found = await self._pool.run(compare_settings, now, before)
        gaps += found.unread
        if len(found.settings) > _SETTINGS_SHOWN:
            gaps.append(f"{len(found.settings) - _SETTINGS_SHOWN} further settings are not shown; `under` narrows it")
        rows = [self._setting(code, one) for one in found.settings[:_SETTINGS_SHOWN]]
        head = _settings_head(code, found.settings, min(len(files), _FILES_CONFIGURED))
        return _answer(code, _Found(what="settings", head=head, rows=rows, count=len(found.settings)), gaps)

    def _configuration(self, code: _Code, under: str) -> list[str]:
        """Paths of the files that a service may read its settings from, at either version; the likeliest first."""
        names, altered = self._toolbox.service_names(), code.altered
        every = {f.path: f for f in (*(code.before.files if code.before else ()), *code.at.files)}.values()
        files = [
            f
            for f in self._ordered(code, [f for f in every if is_configuration(f.path) and _is_under(f.path, under)])
            if owner_of(f.path, names) in ("", code.service)
        ]
        files.sort(key=lambda f: (is_machine_written(f.path), f.path not in altered, likely_first(f.path)))
        return [f.path for f in files]

    def _ordered(self, code: _Code, files: Sequence[CodeFile]) -> list[CodeFile]:
        others = [name for name in self._toolbox.service_names() if name != code.service]
        return by_relevance(files, service=code.service, others=others, changed=code.altered)

    def _owner(self, code: _Code, path: str) -> str:
        return owner_of(path, self._toolbox.service_names()) or code.service

    def _line(self, code: _Code, path: str, number: int, text: str) -> Contents:
        shown = " ".join(text.split())[:_LONGEST_LINE]
        return Contents(
            service=self._owner(code, path),
            path=path,
            version=code.at.version,
            text=text,
            number=number,
            link=code.at.link(path, number),
            line=f"{path}{f' line {number}' if number else ''}: {shown}",
        )

    def _setting(self, code: _Code, one: FileSetting) -> Configured:
        value = f"{one.before} -> {one.value}" if one.kind == "changed" else one.value
        value = f"{one.before} (removed)" if one.value is None else value
        return Configured(
            service=self._owner(code, one.path),
            path=one.path,
            key=one.key,
            value=one.value,
            version=code.at.version,
            before=one.before,
            previous_version=code.before.version if code.before is not None else "",
            kind=one.kind,
            link=code.at.link(one.path) if one.value is not None else None,
            line=f"{one.path} {one.key}: {value}{' (new)' * (one.kind == 'added')}",
        )

    async def _code(self, arguments: AtVersion) -> _Code:
        """From the first source that has the version. Raises BadArguments where none has it, what the last one raised
        where one could not be asked.
        """
        names = self._toolbox.service_names()
        if arguments.service not in names:
            near = get_close_matches(arguments.service, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(names) or 'none'}"
            raise BadArguments(f"{arguments.service!r} is not a declared service{hint}")
        refused, failed = list[BadArguments](), list[AgentError]()
        for source in self._toolbox.code:
            try:
                return await self._of(source, arguments)
            except BadArguments as exc:
                refused.append(exc)
            except AgentError as exc:
                failed.append(exc)
        if failed:
            raise failed[-1]
        raise BadArguments("; ".join(dict.fromkeys(map(str, refused))))

    async def _of(self, source: CodeSource, arguments: AtVersion) -> _Code:
        service, gaps = arguments.service, list[str]()
        deployed = await _or_gap(source.deployed(service), gaps, f"deployments of {service}") or ()
        version = _wanted(arguments.version, deployed, service)
        at = await source.files_at(service, version)
        asked = getattr(arguments, "before", "")
        earlier = _wanted(asked, deployed, service) if asked else _before(at.version, deployed)
        before = None
        if earlier:
            before = await _or_gap(source.files_at(service, earlier), gaps, f"the version before, {earlier[:_SHORT]},")
        else:
            gaps.append(f"which version of {service} ran before {at.version[:_SHORT]} is not known")
        title = str(getattr(source, "title", type(source).__name__))
        before_gaps = before.gaps if before is not None else ()
        every = tuple(dict.fromkeys((*gaps, *at.gaps, *before_gaps)))
        return _Code(source=source, title=title, service=service, at=at, before=before, gaps=every)


async def _or_gap(read: Awaitable[T], gaps: list[str], what: str) -> T | None:
    try:
        return await read
    except AgentError as exc:
        gaps.append(f"{what} could not be read: {exc}")
        return None


def _wanted(asked: str, deployed: Sequence[Change], service: str) -> str:
    """The version that is meant: a commit, the commit of a change, or the newest deployment's."""
    versions = [one for one in deployed if one.version]
    if not asked:
        if versions:
            return str(versions[0].version)
        raise BadArguments(f"which version of {service} runs is not known here: name a commit as `version`")
    named = next((one for one in versions if one.id == asked or one.id.endswith(f"/{asked}")), None)
    if named is not None:
        return str(named.version)
    if _COMMIT.fullmatch(asked.lower()):
        return asked.lower()
    known = ", ".join(f"{one.id} ({str(one.version)[:_SHORT]})" for one in versions[:_KNOWN_SHOWN]) or "none"
    raise BadArguments(f"{asked[:60]!r} is neither a commit id of 7 characters or more, nor a change; known: {known}")


def _before(version: str, deployed: Sequence[Change]) -> str:
    """What was deployed before a version, "" where that is not known."""
    versions = [str(one.version) for one in deployed if one.version]
    if version not in versions:
        return ""
    return next((one for one in versions[versions.index(version) :] if one != version), "")


def _is_under(path: str, folder: str) -> bool:
    wanted = folder.strip("/")
    return not wanted or path == wanted or path.startswith(f"{wanted}/")


def _holding(text: str, wanted: str) -> Iterator[tuple[int, str]]:
    """Lines with a text, each with its number."""
    for number, line in enumerate(text.split("\n"), start=1):
        if wanted.lower() in line.lower():
            yield number, line.strip("\r")


def _few_of_each(found: Sequence[Contents]) -> list[Contents]:
    rows, of = list[Contents](), dict[str, int]()
    for row in found:
        of[row.path] = of.get(row.path, 0) + 1
        if of[row.path] <= _LINES_OF_A_FILE:
            rows.append(row)
    return rows[:_LINES_SHOWN]


def _settings_head(code: _Code, settings: Sequence[FileSetting], files: int) -> str:
    head = f"{counted(len(settings), 'setting')} in {counted(files, 'file')} at {code.at.version[:_SHORT]}"
    if code.before is None:
        return head
    differ = sum(one.kind != "same" for one in settings)
    return f"{head}; {differ} {'differs' if differ == 1 else 'differ'} from {code.before.version[:_SHORT]}"


async def _texts(code: _Code, paths: Sequence[str], gaps: list[str]) -> tuple[dict[str, str], dict[str, str] | None]:
    """What files hold now and before. One that could be read at one of the two only is in neither: half a comparison
    would call all of it new, or gone.
    """
    wanted = set(paths)
    new = [f for f in code.at.files if f.path in wanted]
    read = await code.source.read_texts(code.service, new)
    gaps += read.gaps
    now = dict(read.texts)
    if code.before is None:
        return now, None
    old = [f for f in code.before.files if f.path in wanted]
    read = await code.source.read_texts(code.service, [f for f in old if f.path in code.altered])
    gaps += read.gaps
    before = {f.path: now[f.path] for f in old if f.path in now and f.path not in code.altered} | dict(read.texts)
    unread = {f.path for f in new if f.path not in now} | {f.path for f in old if f.path not in before}
    return (
        {path: text for path, text in now.items() if path not in unread},
        {path: text for path, text in before.items() if path not in unread},
    )


def _answer(code: _Code, found: _Found, gaps: Sequence[str]) -> ToolOutput:
    """The rows below what was looked for. Nothing found is said as such, and a part of it as a part."""
    gaps = list(dict.fromkeys(gaps))
    searched = Searched(
        service=code.service,
        what=found.what,
        found=found.count,
        wanted={**found.wanted, "version": code.at.version},
        whole=not gaps,
        line=found.head if found.count else f"nothing found: {found.head}",
    )
    rows: list[Row] = [searched, *found.rows, *(Unread(reason=g, part=True, line=f"gap: {g}") for g in gaps)]
    return ToolOutput(
        text="\n".join(row.line for row in rows),
        rows=tuple(rows),
        summary=f"{code.service}: {found.head}",
        facts={"looked": [Look(source=code.title).as_fact()]},
        gap="; ".join(gaps) or None,
    )
