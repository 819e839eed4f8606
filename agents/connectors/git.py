"""Reads a local git repository: commits, diffs, files, and deployments as annotated tags such as `deploy/checkout/17`.

A deployment's time is the tagger's date, its version the tagged commit. A repository may carry configuration that runs
programs, so git runs without hooks, pager, external diffs and text conversion, and never reaches the network.
https://git-scm.com/docs/git-for-each-ref and https://git-scm.com/docs/git-diff
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, field_validator

from agents.connector import ChangesRead, Check, Connector, ConnectorConfig, ConnectorContext, Diff, altered_row
from agents.errors import AgentError, BadArguments, NotPermitted, Unavailable
from agents.evidence.types import Change, Window
from agents.process import run
from agents.rows import Altered, Changed, Contents, Row, Searched
from agents.tool import Arguments, ToolOutput, tool

_VERSION = r"^[0-9a-f]{7,64}$"
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PAGER": "cat",
}
_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--find-renames")
_MAX_TEXT = 60_000
_CUT = re.compile(r"\n\[cut here: \d+ further characters\]$")
_CUT_NOTE = 80  # characters, at most
_OTHERS_SHOWN = 50
_WITH_PATHS = 50
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
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*\{service\}[A-Za-z0-9._/-]*\*?", pattern):
            raise ValueError('must be a tag pattern with {service}, such as "deploy/{service}/*"')
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

    async def check(self) -> Check:
        try:
            await self._git("rev-parse", "--git-dir")
            silent = [name for name in self.context.names if not await self._deployments(name)]
        except AgentError as exc:
            return Check(
                ok=False, detail=str(exc), next_action="Correct connectors.git.repository; it must be a clone."
            )
        if silent:
            return Check(
                ok=False,
                detail=f"No annotated tags {self.config.deployments} for {', '.join(silent)}",
                next_action="Tag each deployment: git tag -a deploy/SERVICE/N -m deploy COMMIT; or set deployments.",
            )
        return Check(ok=True, detail=f"Deployments of {len(self.context.names)} services known")

    async def read_changes(self, window: Window) -> ChangesRead:
        """Deployments of all declared services whose tag was made within the window, oldest first.

        The newest 50 carry their paths; each costs one run of git.
        """
        found = [
            change
            for name in self.context.names
            for change in await self._deployments(name)
            if window.start <= change.at <= window.end
        ]
        found.sort(key=lambda change: change.at)
        older, newest = found[:-_WITH_PATHS], found[-_WITH_PATHS:]
        return ChangesRead(changes=[*older, *[await self._with_paths(change) for change in newest]])

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What `to_version` has over `from_version`: diff, commits, migrations. Raises BadArguments for unknown ids."""
        self.context.require_declared([service], key="service")
        old, new = await self._commit(from_version), await self._commit(to_version)
        scope = ("--", *self.config.paths.get(service, ()))
        names = await self._paths("diff", *_DIFF, "--name-only", "-z", old, new, *scope)
        text = await self._text("diff", *_DIFF, "--stat=200", "--patch", old, new, *scope)
        kept = await self._paths("diff", *_DIFF, "--name-only", "-z", "--diff-filter=d", old, new, *scope)
        others = [f"{sha[:7]} {subject}" for sha, subject in await self._commits(old, new, scope) if sha != new]
        link = self.config.link
        return Diff(
            change_id=f"{service}@{new[:7]}",
            service=service,
            from_version=old,
            to_version=new,
            text=text,
            paths=names,
            others=tuple(others[:_OTHERS_SHOWN]),
            migrations=tuple(name for name in kept if self._is_migration(name)),
            link=link.replace("{from}", old).replace("{to}", new) if link else None,
            whole=_is_whole(text),
        )

    @tool()
    async def list_deployments(self, arguments: ListDeployments) -> ToolOutput:
        """The newest deployments of a service: when, which commit, what it was before."""
        self.context.require_declared([arguments.service], key="service")
        changes = (await self._deployments(arguments.service))[-arguments.limit :][::-1]
        rows: list[Row] = [_changed(change) for change in changes]
        rows = rows or [
            Searched(service=arguments.service, what="deployments", found=0, end=self.context.now(), line=_NONE)
        ]
        return ToolOutput(
            text="\n".join(row.line for row in rows),
            rows=tuple(rows),
            summary=f"{len(changes)} deployments of {arguments.service}",
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
        return ToolOutput(text=text, rows=(row,), summary=f"commit {sha[:7]}", facts={"version": sha})

    @tool()
    async def compare_versions(self, arguments: ReadDiff) -> ToolOutput:
        """What changed in a service between two deployed versions: commits in between, migrations, files and patch.

        Read the diff of a suspected deployment before naming it as a cause.
        """
        diff = await self.read_diff(arguments.service, arguments.from_version, arguments.to_version)
        head = [f"{diff.from_version[:7]}..{diff.to_version[:7]} changes {len(diff.paths)} files"]
        row = replace(altered_row(diff), line=head[0])
        head += [f"other commit in between: {other}" for other in diff.others]
        head += [f"migration: {path}" for path in diff.migrations]
        return ToolOutput(
            text="\n".join([*head, "", diff.text]),
            rows=(row,),
            summary=f"diff {diff.from_version[:7]}..{diff.to_version[:7]}, {len(diff.paths)} files",
            facts={
                "change_id": diff.change_id,
                "service": diff.service,
                "from_version": diff.from_version,
                "to_version": diff.to_version,
                "paths": list(diff.paths),
                "migrations": list(diff.migrations),
                "link": diff.link,
            },
        )

    @tool()
    async def file_at(self, arguments: FileAt) -> ToolOutput:
        """A file of the repository as it was at a version."""
        sha = await self._commit(arguments.version)
        path = _check_path(arguments.path)
        text = await self._text("cat-file", "blob", f"{sha}:{path}")
        row = Contents(path=path, version=sha, text=text)
        return ToolOutput(text=text, rows=(row,), summary=f"{path} at {sha[:7]}", facts={"version": sha, "path": path})

    async def _deployments(self, service: str) -> list[Change]:
        """All deployments of a service, oldest first, each knowing the version before it."""
        pattern = "refs/tags/" + self.config.deployments.replace("{service}", service)
        fields = "%(refname:strip=2)%00%(taggerdate:unix)%00%(*objectname)%00%(*subject)"
        listing = await self._git("for-each-ref", f"--format={fields}", pattern)
        rows = [line.split("\0") for line in listing.splitlines()]
        subjects = await self.context.clean_words([row[3] for row in rows])
        rows = [[*row[:3], subject] for row, subject in zip(rows, subjects, strict=True)]
        tags = [(int(at), tag, sha, subject) for tag, at, sha, subject in rows if at and sha]
        tags.sort(key=lambda tag: (tag[0], _natural(tag[1])))
        previous: str | None = None
        changes = []
        for at, tag, sha, subject in tags:
            changes.append(
                Change(
                    id=tag,
                    service=service,
                    at=datetime.fromtimestamp(at, tz=UTC),
                    kind="deployment",
                    version=sha,
                    previous_version=previous,
                    summary=subject[:200],
                )
            )
            previous = sha
        return changes

    async def _with_paths(self, change: Change) -> Change:
        if change.version is None or change.previous_version is None:
            return change
        scope = ("--", *self.config.paths.get(change.service, ()))
        asked = ("--name-only", "-z", change.previous_version, change.version, *scope)
        return replace(change, paths=await self._paths("diff", *_DIFF, *asked))

    async def _commits(self, old: str, new: str, scope: tuple[str, ...]) -> list[tuple[str, str]]:
        """Id and subject of the commits in `new` that are not in `old`, newest first."""
        listing = await self._git(
            "log", "--no-show-signature", "-n", "500", "--format=%H%x00%s", f"{old}..{new}", *scope
        )
        rows = [line.split("\0", 1) for line in listing.splitlines()]
        subjects = await self.context.clean_words([subject for _, subject in rows])
        return [(sha, subject[:100]) for (sha, _), subject in zip(rows, subjects, strict=True)]

    async def _commit(self, version: str) -> str:
        """The full id. Raises BadArguments for what is no commit of this repository."""
        if not re.fullmatch(_VERSION, version):
            raise BadArguments("a version is a commit id of 7 to 64 hexadecimal characters")
        try:
            found = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{version}^{{commit}}")
        except Unavailable as exc:
            raise BadArguments(f"{version} is no commit of this repository") from exc
        return found.strip()

    def _is_migration(self, path: str) -> bool:
        return any(part in self.config.migrations for part in PurePosixPath(path).parts[:-1])

    async def _text(self, *arguments: str) -> str:
        """What git prints of the repository's content, without secrets, and cut at 60,000 characters."""
        printed = await self._git(*arguments)
        cleaned = await self.context.clean(printed, keep=_MAX_TEXT)
        left_out = len(printed) - _MAX_TEXT
        return cleaned if left_out <= 0 else f"{cleaned}\n[cut here: {left_out} further characters]"

    async def _paths(self, *arguments: str) -> tuple[str, ...]:
        return tuple(await self.context.clean_words(_nul_separated(await self._git(*arguments))))

    async def _git(self, *arguments: str) -> str:
        """What git prints, for code: what is shown of it is cleaned."""
        program = shutil.which("git", path=_ENVIRONMENT["PATH"])
        if program is None:
            raise Unavailable("git is not installed on this host")
        settings = {
            "core.hooksPath": "/dev/null",
            "core.fsmonitor": "false",
            "core.attributesFile": "/dev/null",
            "core.quotePath": "false",
            "protocol.allow": "never",
            # The operator declared this repository; it may belong to another user of the host.
            "safe.directory": str(self.config.repository),
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        done = await run(
            [program, "--no-pager", "-C", str(self.config.repository), *options, *arguments],
            environment=_ENVIRONMENT,
            timeout_s=10.0,
            max_bytes=4 * _MAX_TEXT,
            stop_at_cap=True,
        )
        if done.code != 0 and not done.truncated:
            said = await self.context.clean(done.errors.decode("utf-8", errors="replace").strip())
            reason = said.splitlines()
            raise Unavailable(f"git {arguments[0]} failed: {reason[-1][:200] if reason else done.code}")
        return done.output.decode("utf-8", errors="replace")


def _check_path(path: str) -> str:
    """A path inside the repository. Raises NotPermitted for one that could leave it or be read as an option."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith(("-", "/", ":")) or ".." in parts or "\0" in path or ".git" in parts:
        raise NotPermitted("a path stays inside the repository: relative, without '..', not starting with '-' or ':'")
    return str(PurePosixPath(path))


def _nul_separated(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split("\0") if name)


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts `deploy/a/9` before `deploy/a/10`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


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
        files=change.paths,
        line=f"{change.at:%Y-%m-%d %H:%M:%SZ} {change.id} {was}: {change.summary}",
    )


def _is_whole(text: str) -> bool:
    return _CUT.search(text[-_CUT_NOTE:]) is None


CONNECTOR = Git
