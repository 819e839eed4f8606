"""Reads a local git repository: commits, diffs, files, and deployments as annotated tags such as `deploy/checkout/17`.

A deployment's time is the tagger's date, its version the tagged commit (see `tags.py`). Whatever a cap keeps out is
old, or was written by machines (`diffs.py`), and a gap says so. https://git-scm.com/docs/git-diff
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, field_validator

from agents.connecting.connector import (
    ChangesRead,
    Check,
    Connector,
    ConnectorConfig,
    ConnectorContext,
    Diff,
    diff_output,
)
from agents.connecting.connectors.git.code import GitCode
from agents.connecting.connectors.git.diffs import written_by_machines, written_by_people
from agents.connecting.connectors.git.program import run_git
from agents.connecting.connectors.git.tags import FORMAT, Tag, is_pattern, read_tags
from agents.connecting.source_code import CodeFile, FilesAt, TextsRead
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted, Unavailable
from agents.evidence.types import Change, Window
from agents.rows import Altered, Changed, Contents, Row, Searched
from agents.tool import Arguments, ToolOutput, tool

_VERSION = r"^[0-9a-f]{7,64}$"
_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--find-renames")
_MAX_TEXT = 60_000
_CUT = re.compile(r"\n\[cut here: \d+ further characters\]$")
_CUT_NOTE = 80  # characters, at most
_OTHERS_SHOWN = 50
_WITH_PATHS = 50
_AT_ONCE = 4
_MOST_TAGS = 2_000  # of a service, the newest
_TAG_BYTES = 2_000_000
_NONE = "no deployments"


class GitConfig(ConnectorConfig):
    """`deployments` is the tags' pattern. `paths` narrows a service to folders of the repository (default: all of it).

    `link` makes links to a diff, for example "https://github.com/acme/shop/compare/{from}...{to}".
    """

    repository: Path
    deployments: str = "deploy/{service}/*"
    paths: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    migrations: tuple[str, ...] = ("migrations",)
    link: str | None = None

    @field_validator("repository")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path

    @field_validator("deployments")
    @classmethod
    def _pattern(cls, pattern: str) -> str:
        if not is_pattern(pattern):
            raise ValueError('must be a tag pattern with {service}, such as "deploy/{service}/*" or "{service}-v*"')
        return pattern


class ListDeployments(Arguments):
    service: str = Field(description="A declared service.")
    limit: int = Field(default=10, ge=1, le=100)


class ShowCommit(Arguments):
    version: str = Field(pattern=_VERSION, description="A commit id of at least 7 hexadecimal characters.")


class ReadDiff(Arguments):
    service: str = Field(description="A declared service.")
    from_version: str = Field(pattern=_VERSION, description="Commit id before the change.")
    to_version: str = Field(pattern=_VERSION, description="Commit id after the change.")


class FileAt(Arguments):
    path: str = Field(max_length=500, description="Path inside the repository.")
    version: str = Field(pattern=_VERSION, description="Commit id.")


@dataclass(frozen=True, kw_only=True)
class _Deployments:
    """`changes` oldest first. `undated` as in `Tags`; `cut` says that there are older ones."""

    service: str
    changes: list[Change]
    undated: int
    cut: bool

    @property
    def gap(self) -> str | None:
        """What the newest tags cannot say."""
        tags = f"{self.undated} newer tag{'' if self.undated == 1 else 's'}"
        told = f"{self.service}: {tags} may mark deployments, but are lightweight and carry no time"
        return told if self.undated else None


class Git(Connector):
    name = "git"
    title = "Git"
    host = True
    config_model = GitConfig

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        context.require_declared(config.paths, key="connectors.git.paths")
        for path in (p for paths in config.paths.values() for p in paths):
            _check_path(path)
        self._code = GitCode(config.repository, config.paths, context)

    async def check(self) -> Check:
        try:
            await self._git("rev-parse", "--git-dir")
            known = {name: await self._deployments(name) for name in self.context.names}
        except AgentError as exc:
            return Check(
                ok=False, detail=str(exc), next_action="Correct connectors.git.repository; it must be a clone."
            )
        silent = [name for name, read in known.items() if not read.changes]
        if silent:
            return Check(
                ok=False,
                detail=f"No annotated tags {self.config.deployments} for {', '.join(silent)}",
                next_action="Tag each deployment: git tag -a deploy/SERVICE/N -m deploy COMMIT; or set deployments.",
            )
        undated = [read.gap for read in known.values() if read.gap]
        if undated:
            return Check(
                ok=False,
                detail="; ".join(undated),
                next_action="Tag each deployment with git tag -a: only such a tag says when it was made.",
            )
        return Check(ok=True, detail=f"deployments of {counted(len(self.context.names), 'service')} known")

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Deployments of the services whose tag was made within the window, oldest first.

        The newest 50 carry their paths; each costs one run of git. Raises an AgentError when no service's can be read.
        """
        found: list[Change] = []
        failures: list[AgentError] = []
        gaps: list[str] = []
        chosen = [name for name in self.context.names if services is None or name in services]
        for name in chosen:
            try:
                read = await self._deployments(name)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"{name}: its deployments could not be read: {exc}")
                continue
            found += [change for change in read.changes if window.start <= change.at <= window.end]
            gaps += [read.gap] if read.gap else []
            if read.cut and read.changes and read.changes[0].at > window.start:
                gaps.append(f"{name}: only the newest {len(read.changes)} deployments were read")
        if failures and len(failures) == len(chosen):
            raise failures[0]
        found.sort(key=lambda change: change.at)
        older, newest = found[:-_WITH_PATHS], found[-_WITH_PATHS:]
        if older:
            gaps.append(f"{self.title}: the files of the {len(older)} oldest deployments were not read")
        return ChangesRead(changes=(*older, *await self._with_paths(newest, gaps)), gaps=tuple(gaps))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What `to_version` has over `from_version`: diff, commits, migrations. Raises BadArguments for unknown ids."""
        self.context.require_declared([service], key="service")
        old, new = await self._commit(from_version), await self._commit(to_version)
        scope = self._scope(service)
        names = await self._paths("diff", *_DIFF, "--name-only", "-z", old, new, *scope)
        text = await self._diff_text(old, new, scope)
        kept = await self._paths("diff", *_DIFF, "--name-only", "-z", "--diff-filter=d", old, new, *scope)
        others = [f"{sha[:7]} {subject}" for sha, subject in await self._commits(old, new, scope) if sha != new]
        if len(others) > _OTHERS_SHOWN:
            others[_OTHERS_SHOWN:] = [f"and {len(others) - _OTHERS_SHOWN} older commits"]
        link = self.config.link
        return Diff(
            change_id=f"{service}@{new[:7]}",
            service=service,
            from_version=old,
            to_version=new,
            text=text,
            paths=names,
            others=tuple(others),
            migrations=tuple(name for name in kept if self._is_migration(name)),
            link=link.replace("{from}", old).replace("{to}", new) if link else None,
            whole=_is_whole(text),
        )

    async def deployed(self, service: str) -> Sequence[Change]:
        """Newest first."""
        return (await self._deployments(service)).changes[::-1]

    async def files_at(self, service: str, version: str) -> FilesAt:
        """Raises BadArguments for a version that is not known here."""
        return await self._code.files_at(service, await self._commit(version))

    async def files_with(self, service: str, at: FilesAt, text: str) -> frozenset[str]:
        """As `git grep` finds it in that commit."""
        return await self._code.files_with(service, at, text)

    async def read_texts(self, _service: str, files: Sequence[CodeFile]) -> TextsRead:
        return await self._code.read_texts(files)

    @tool()
    async def list_deployments(self, arguments: ListDeployments) -> ToolOutput:
        """The newest deployments of a service: when, which commit, what it was before."""
        self.context.require_declared([arguments.service], key="service")
        read = await self._deployments(arguments.service)
        changes = read.changes[-arguments.limit :][::-1]
        rows: list[Row] = [_changed(change) for change in changes]
        rows = rows or [
            Searched(
                service=arguments.service,
                what="deployments",
                found=0,
                end=self.context.now(),
                whole=read.gap is None,
                line=_NONE,
            )
        ]
        return ToolOutput(
            text="\n".join(row.line for row in rows),
            rows=tuple(rows),
            summary=f"{counted(len(changes), 'deployment')} of {arguments.service}",
            gap=read.gap,
            facts={
                "deployments": [
                    {"id": c.id, "at": c.at.isoformat(), "version": c.version, "previous_version": c.previous_version}
                    for c in changes
                ]
            },
        )

    @tool()
    async def show_commit(self, arguments: ShowCommit) -> ToolOutput:
        """One commit: author date, message, changed files and patch."""
        sha = await self._commit(arguments.version)
        text = await self._text(
            "show", *_DIFF, "--no-show-signature", "--no-notes", "--format=%H%n%aI%n%n%B", "--stat=200", "--patch", sha
        )
        row = Altered(change="", diff=text, to_version=sha, whole=_is_whole(text), line=text.partition("\n")[0])
        gap = None if row.whole else f"the diff of {sha[:7]} was cut at {_MAX_TEXT} characters"
        return ToolOutput(text=text, rows=(row,), summary=f"commit {sha[:7]}", facts={"version": sha}, gap=gap)

    @tool()
    async def compare_versions(self, arguments: ReadDiff) -> ToolOutput:
        """What changed in a service between two deployed versions: commits in between, migrations, files and patch.

        Read the diff of a suspected deployment before naming it as a cause.
        """
        diff = await self.read_diff(arguments.service, arguments.from_version, arguments.to_version)
        return diff_output(diff, cut=f"the diff of {diff.change_id} was cut at {_MAX_TEXT} characters")

    @tool()
    async def file_at(self, arguments: FileAt) -> ToolOutput:
        """A file of the repository as it was at a version."""
        sha = await self._commit(arguments.version)
        path = _check_path(arguments.path)
        text = await self._text("cat-file", "blob", f"{sha}:{path}")
        row = Contents(path=path, version=sha, text=text)
        gap = None if _is_whole(text) else f"{path} was cut at {_MAX_TEXT} characters"
        facts = {"version": sha, "path": path}
        return ToolOutput(text=text, rows=(row,), summary=f"{path} at {sha[:7]}", facts=facts, gap=gap)

    async def _deployments(self, service: str) -> _Deployments:
        """The newest deployments of a service, oldest first, each knowing the version before it."""
        pattern = self.config.deployments
        asked = f"refs/tags/{pattern.replace('{service}', service)}"
        listing, cut = await self._printed(
            "for-each-ref",
            "--sort=-creatordate",
            f"--count={_MOST_TAGS + 1}",
            f"--format={FORMAT}",
            asked,
            max_bytes=_TAG_BYTES,
        )
        # Newest first: what a cap cut off is old, and its last line may be half a one.
        lines = listing.rpartition("\n")[0] if cut else listing
        tags = read_tags(lines, pattern, service, self.context.names)
        dated = await self._followed(tags.dated[:_MOST_TAGS])
        subjects = await self.context.clean_words([tag.subject for tag in dated])
        authors = await self.context.clean_words([tag.author for tag in dated])
        changes: list[Change] = []
        for tag, subject, author in zip(reversed(dated), reversed(subjects), reversed(authors), strict=True):
            changes.append(
                Change(
                    id=tag.name,
                    service=service,
                    at=tag.at,
                    kind="deployment",
                    version=tag.commit,
                    previous_version=changes[-1].version if changes else None,
                    summary=subject[:200],
                    author=author[:80],
                )
            )
        cut = cut or listing.count("\n") > _MOST_TAGS
        return _Deployments(service=service, changes=changes, undated=tags.undated, cut=cut)

    async def _followed(self, tags: Sequence[Tag]) -> list[Tag]:
        """Tags of tags with the commit that they mark in the end; without those that mark none."""
        found: list[Tag] = []
        for tag in tags:
            try:
                commit = tag.commit or await self._commit_of(f"refs/tags/{tag.name}")
            except AgentError:
                continue
            found.append(replace(tag, commit=commit))
        return found

    async def _with_paths(self, changes: Sequence[Change], gaps: list[str]) -> list[Change]:
        """The changes with the files they touch. One that cannot be compared keeps its time and costs a gap."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(change: Change) -> Change:
            if change.version is None or change.previous_version is None:
                return change
            asked = ("--name-only", "-z", change.previous_version, change.version, *self._scope(change.service))
            async with gate:
                try:
                    return replace(change, paths=await self._paths("diff", *_DIFF, *asked))
                except AgentError as exc:
                    gaps.append(f"{change.id}: the files it changed could not be read: {exc}")
                    return change

        return list(await asyncio.gather(*map(one, changes)))

    def _scope(self, service: str) -> tuple[str, ...]:
        return ("--", *self.config.paths.get(service, ()))

    async def _commits(self, old: str, new: str, scope: tuple[str, ...]) -> list[tuple[str, str]]:
        """Id and subject of the commits in `new` that are not in `old`, newest first."""
        listing = await self._git(
            "log", "--no-show-signature", "-n", "500", "--format=%H%x00%s", f"{old}..{new}", *scope
        )
        # Not splitlines: a subject may hold any of the other separators that it knows.
        rows = [line.split("\0", 1) for line in listing.split("\n") if "\0" in line]
        subjects = await self.context.clean_words([subject for _, subject in rows])
        return [(sha, subject[:100]) for (sha, _), subject in zip(rows, subjects, strict=True)]

    async def _commit(self, version: str) -> str:
        """The full id. Raises BadArguments for what is no commit of this repository."""
        if not re.fullmatch(_VERSION, version):
            raise BadArguments("a version is a commit id of 7 to 64 hexadecimal characters")
        try:
            return await self._commit_of(version)
        except Unavailable as exc:
            raise BadArguments(f"{version} is no commit of this repository") from exc

    async def _commit_of(self, name: str) -> str:
        """The commit that a name leads to, through tags of tags. Raises Unavailable where it leads to none."""
        found = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return found.strip()

    def _is_migration(self, path: str) -> bool:
        return any(part in self.config.migrations for part in PurePosixPath(path).parts[:-1])

    async def _diff_text(self, old: str, new: str, scope: tuple[str, ...]) -> str:
        """Which files changed, then what people wrote, then what machines wrote: a cap cuts the last first."""
        kinds = written_by_people(scope[1:]), written_by_machines(scope[1:])
        parts = [await self._git("diff", *_DIFF, "--stat=160,100,200", old, new, *scope)]
        for paths in kinds:
            if sum(map(len, parts)) < _MAX_TEXT:
                parts.append(await self._git("diff", *_DIFF, "--patch", old, new, "--", *paths))
        return await self._capped("\n".join(part for part in parts if part))

    async def _text(self, *arguments: str) -> str:
        """What git prints of the repository's content."""
        return await self._capped(await self._git(*arguments))

    async def _capped(self, printed: str) -> str:
        """Without secrets, and cut at 60,000 characters."""
        cleaned = await self.context.clean(printed, keep=_MAX_TEXT)
        left_out = len(printed) - _MAX_TEXT
        return cleaned if left_out <= 0 else f"{cleaned}\n[cut here: {left_out} further characters]"

    async def _paths(self, *arguments: str) -> tuple[str, ...]:
        listing, cut = await self._printed(*arguments)
        names = listing.split("\0")
        return tuple(await self.context.clean_words([name for name in (names[:-1] if cut else names) if name]))

    async def _git(self, *arguments: str) -> str:
        return (await self._printed(*arguments))[0]

    async def _printed(self, *arguments: str, max_bytes: int = 4 * _MAX_TEXT) -> tuple[str, bool]:
        """What git prints, for code, and whether it was cut: what is shown of it is cleaned."""
        done = await run_git(self.config.repository, arguments, max_bytes=max_bytes)
        if done.code != 0 and not done.truncated:
            said = await self.context.clean(done.errors.decode("utf-8", errors="replace").strip())
            reason = said.splitlines()
            raise Unavailable(f"git {arguments[0]} failed: {reason[-1][:200] if reason else done.code}")
        return done.output.decode("utf-8", errors="replace"), done.truncated


def _check_path(path: str) -> str:
    """A path inside the repository. Raises NotPermitted for one that could leave it or be read as an option."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith(("-", "/", ":")) or ".." in parts or "\0" in path or ".git" in parts:
        raise NotPermitted("a path stays inside the repository: relative, without '..', not starting with '-' or ':'")
    return str(PurePosixPath(path))


def _changed(change: Change) -> Changed:
    was = f"{change.version} (was {change.previous_version})"
    return Changed(
        service=change.service,
        change=change.id,
        at=change.at,
        kind=change.kind,
        version=change.version or "",
        previous_version=change.previous_version or "",
        summary=change.summary,
        author=change.author,
        files=change.paths,
        line=f"{change.at:%Y-%m-%d %H:%M:%SZ} {change.id} {was}: {change.summary}",
    )


def _is_whole(text: str) -> bool:
    return _CUT.search(text[-_CUT_NOTE:]) is None


CONNECTOR = Git
