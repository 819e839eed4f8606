"""A local GitHub before the shop's repository, for `autoheal demo --as github`: its deployments come from the tags that
`shopctl` sets, its commits, files and comparisons from git. A deployment that is recorded is carried out by `shopctl`.

Strict, so that what works here is asked as GitHub documents it: the token, the version header, known paths, known
parameters; anything else is refused with GitHub's status. https://docs.github.com/en/rest
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiohttp import web

OWNER: Final = "acme"
NAME: Final = "shop"
REPOSITORY: Final = f"{OWNER}/{NAME}"
_VERSION: Final = "2022-11-28"
_PAGE: Final = frozenset({"per_page", "page"})
_TAG: Final = re.compile(r"deploy/([^/]+)/(\d+)")
_RECORDED: Final = frozenset(
    ("ref", "task", "auto_merge", "required_contexts", "payload", "environment", "description")
)
_SHA: Final = re.compile(r"[0-9a-f]{7,64}")
_FORMAT: Final = "%(refname:strip=2)%00%(*objectname)%00%(taggerdate:unix)%00%(contents:subject)"
_STATUS: Final = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied"}

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LocalGitHub:
    """Start it before it is asked. `token` is the one that it knows, `shopctl` the beginning of each command line that
    carries out what is recorded.
    """

    def __init__(self, repository: Path, shopctl: Sequence[str] = ()) -> None:
        self._repository, self._shopctl = repository, tuple(shopctl)
        self._payloads: dict[int, Json] = {}
        self._runner: web.AppRunner | None = None
        self.token = f"github_pat_{secrets.token_hex(20)}"
        self.url = ""
        self.refused: list[str] = []
        """What was asked that GitHub does not document."""

    async def start(self) -> None:
        app = web.Application()
        repo = f"/repos/{OWNER}/{NAME}"
        routes: tuple[tuple[str, str, Handler, frozenset[str]], ...] = (
            ("GET", "/user/repos", self._repositories, _PAGE | {"sort", "visibility", "affiliation"}),
            ("GET", repo, self._about, frozenset()),
            ("GET", f"{repo}/deployments", self._deployments, _PAGE | {"sha", "ref", "task", "environment"}),
            ("GET", f"{repo}/deployments/{{id}}/statuses", self._statuses, _PAGE),
            ("GET", f"{repo}/commits", self._commits, _PAGE | {"sha", "path", "since", "until"}),
            ("POST", f"{repo}/deployments", self._record, frozenset()),
            ("GET", f"{repo}/commits/{{sha}}", self._commit, _PAGE),
            ("GET", f"{repo}/git/trees/{{sha}}", self._tree, frozenset({"recursive"})),
            ("GET", f"{repo}/git/blobs/{{sha}}", self._blob, frozenset()),
            ("GET", f"{repo}/commits/{{sha}}/pulls", self._nothing, _PAGE),
            ("GET", f"{repo}/pulls", self._nothing, _PAGE | {"state", "sort", "direction"}),
            ("GET", f"{repo}/actions/runs", self._runs, _PAGE | {"created", "event", "status", "branch"}),
            ("GET", f"{repo}/compare/{{basehead}}", self._compare, _PAGE),
            ("POST", "/credentials/revoke", self._revoke, frozenset()),
        )
        for method, path, handler, known in routes:
            app.router.add_route(method, path, self._guarded(handler, known))
        app.router.add_route("*", "/{rest:.*}", self._unknown)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _guarded(self, handler: Handler, known: frozenset[str]) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if request.headers.get("x-github-api-version") != _VERSION:
                return self._no(request, 400, "the version header is missing or unknown")
            if request.path != "/credentials/revoke" and request.headers.get("authorization") != f"Bearer {self.token}":
                return web.json_response({"message": "Bad credentials"}, status=401)
            if strange := sorted(set(request.query) - known):
                return self._no(request, 422, f"no parameter {strange[0]}")
            return await handler(request)

        return guarded

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        return self._no(request, 404, "Not Found")

    def _no(self, request: web.Request, status: int, message: str) -> web.StreamResponse:
        self.refused.append(f"{request.method} {request.path}: {message}")
        return web.json_response({"message": message}, status=status)

    async def _about(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self._repository_document())

    async def _repositories(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, [self._repository_document()])

    def _repository_document(self) -> Json:
        return {"name": NAME, "full_name": f"{OWNER}/{NAME}", "archived": False, "disabled": False, "fork": False}

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, [])

    async def _runs(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"total_count": 0, "workflow_runs": []})

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        if self.token in (await request.json())["credentials"]:
            self.token = secrets.token_hex(20)
        return web.json_response({}, status=202)

    async def _deployments(self, request: web.Request) -> web.StreamResponse:
        wanted = {key: request.query[key] for key in ("sha", "ref", "task", "environment") if key in request.query}
        found = [d for d in await self._all() if all(d[key] == value for key, value in wanted.items())]
        return self._page(request, found)

    async def _statuses(self, request: web.Request) -> web.StreamResponse:
        found = [d for d in await self._all() if str(d["id"]) == request.match_info["id"]]
        if not found:
            return web.json_response({"message": "Not Found"}, status=404)
        status = {"state": "success", "description": "", "created_at": found[0]["created_at"]}
        return self._page(request, [status])

    async def _all(self) -> list[Json]:
        """Newest first, as GitHub gives them; numbered in the order in which they were made."""
        listing = await self._git("for-each-ref", "--sort=taggerdate", f"--format={_FORMAT}", "refs/tags/deploy")
        made: list[Json] = []
        for line in listing.splitlines():
            name, sha, at, subject = line.split("\0")
            if found := _TAG.fullmatch(name):
                when = _iso(int(at))
                number = len(made) + 1
                made.append(
                    {
                        "id": number,
                        "sha": sha,
                        "ref": name,
                        "task": "deploy",
                        "environment": "production",
                        "description": subject,
                        "payload": {"service": found[1], **self._payloads.get(number, {})},
                        "created_at": when,
                        "updated_at": when,
                    }
                )
        return made[::-1]

    async def _record(self, request: web.Request) -> web.StreamResponse:
        """A deployment of a commit that was deployed before; the shop's own program carries it out."""
        asked = await request.json()
        if strange := sorted(set(asked) - _RECORDED):
            return self._no(request, 422, f"no field {strange[0]}")
        service, sha = str(asked["payload"]["service"]), str(asked["ref"])
        known = [d for d in await self._all() if (d["payload"]["service"], d["sha"]) == (service, sha)]
        if not known or not self._shopctl:
            return self._no(request, 409, "this commit was not deployed before")
        program = await asyncio.create_subprocess_exec(
            *self._shopctl, "rollback", service, "--to", sha, stdout=asyncio.subprocess.DEVNULL
        )
        if await program.wait():
            return self._no(request, 409, "the shop could not deploy it")
        made = next(d for d in await self._all() if (d["payload"]["service"], d["sha"]) == (service, sha))
        self._payloads[made["id"]] = asked["payload"]
        return web.json_response({**made, "payload": asked["payload"]}, status=201)

    async def _commit(self, request: web.Request) -> web.StreamResponse:
        try:
            (found, *_) = await self._log("-n", "1", "--end-of-options", f"{request.match_info['sha']}^{{commit}}")
        except LookupError:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response(found)

    async def _tree(self, request: web.Request) -> web.StreamResponse:
        sha = request.match_info["sha"]
        try:
            listing = await self._git("ls-tree", "-r", "-l", "-z", "--end-of-options", sha)
        except LookupError:
            return web.json_response({"message": "Not Found"}, status=404)
        entries = []
        for line in filter(None, listing.split("\0")):
            head, _, path = line.partition("\t")
            mode, kind, blob, size = head.split()
            entries.append({"path": path, "mode": mode, "type": kind, "sha": blob, "size": int(size)})
        return web.json_response({"sha": sha, "tree": entries, "truncated": False})

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        try:
            text = await self._git("cat-file", "blob", request.match_info["sha"])
        except LookupError:
            return web.json_response({"message": "Not Found"}, status=404)
        content = base64.b64encode(text.encode()).decode()
        return web.json_response({"content": content, "encoding": "base64", "size": len(text)})

    async def _commits(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        limits = [f"--{name}={query[name]}" for name in ("since", "until") if name in query]
        paths = ["--", query["path"]] if "path" in query else []
        return self._page(request, await self._log(*limits, query.get("sha", "HEAD"), *paths))

    async def _compare(self, request: web.Request) -> web.StreamResponse:
        old, _, new = request.match_info["basehead"].partition("...")
        if not (_SHA.fullmatch(old) and _SHA.fullmatch(new)):
            return web.json_response({"message": "Not Found"}, status=404)
        try:
            commits = await self._log(f"{old}..{new}")
            behind = len(await self._log(f"{new}..{old}"))
            files = await self._files(old, new) if commits or behind else []
        except LookupError:
            return web.json_response({"message": "Not Found"}, status=404)
        state = "diverged" if commits and behind else "ahead" if commits else "behind" if behind else "identical"
        return web.json_response(
            {
                "html_url": f"{self.url}/{OWNER}/{NAME}/compare/{old}...{new}",
                "status": state,
                "ahead_by": len(commits),
                "behind_by": behind,
                "total_commits": len(commits),
                "commits": commits[::-1],
                "files": files,
            }
        )

    async def _files(self, old: str, new: str) -> list[Json]:
        """As GitHub compares: from where the two parted to the newer one."""
        listing = await self._git("diff", "--no-ext-diff", "--find-renames", "--no-color", f"{old}...{new}")
        names = await self._git("diff", "--no-ext-diff", "--find-renames", "--name-status", f"{old}...{new}")
        patches = re.split(r"(?m)^diff --git .*\n", listing)[1:]
        files = []
        for line, text in zip(names.splitlines(), patches, strict=True):
            letter, *paths = line.split("\t")
            start = text.find("@@")
            patch = text[start:].rstrip("\n") if start >= 0 else None
            changes = sum(1 for row in (patch or "").splitlines() if row[:1] in "+-")
            file: Json = {"filename": paths[-1], "status": _STATUS.get(letter[0], "changed"), "changes": changes}
            if len(paths) > 1:
                file["previous_filename"] = paths[0]
            if patch is not None:
                file["patch"] = patch
            files.append(file)
        return files

    async def _log(self, *arguments: str) -> list[Json]:
        listing = await self._git("log", "-n", "250", "--format=%H%x00%an%x00%ct%x00%B%x01", *arguments)
        commits = []
        for entry in filter(str.strip, listing.split("\x01")):
            sha, author, at, message = entry.strip("\n").split("\0")
            who = {"name": author, "date": _iso(int(at))}
            commits.append(
                {
                    "sha": sha,
                    "html_url": f"{self.url}/{OWNER}/{NAME}/commit/{sha}",
                    "commit": {"message": message.strip(), "author": who, "committer": who},
                }
            )
        return commits

    def _page(self, request: web.Request, items: list[Json]) -> web.StreamResponse:
        size, page = (_number(request.query, name, least) for name, least in (("per_page", 30), ("page", 1)))
        size = min(size, 100)
        shown = items[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(items):
            address = request.url.update_query(page=str(page + 1))
            headers["link"] = f'<{address}>; rel="next"'
        return web.json_response(shown, headers=headers)

    async def _git(self, *arguments: str) -> str:
        """What git says. Raises LookupError where it does not know what is asked for."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "GIT_CONFIG_GLOBAL": os.devnull}
        program = await asyncio.create_subprocess_exec(
            "git",
            "-C",
            str(self._repository),
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await program.communicate()
        if program.returncode:
            raise LookupError(arguments[0])
        return output.decode("utf-8", errors="replace")


def _number(query: Mapping[str, str], name: str, otherwise: int) -> int:
    value = query.get(name, "")
    return max(1, int(value)) if value.isdigit() else otherwise


def _iso(at: int) -> str:
    return f"{datetime.fromtimestamp(at, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"
