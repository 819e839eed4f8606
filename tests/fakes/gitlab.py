"""GitLab as its documents say, as far as it is asked: strict about the token, paths and parameters. It keeps branches,
drafts and jobs, so that what is done can be read back.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from aiohttp import web

TOKEN = "glpat-3f9Kd82hQz71LmNb9xYw"
PROJECT = "acme/checkout"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD, NEW, HEAD = "a" * 40, "b" * 40, "c" * 40
_PAGED = {"page", "per_page"}
_KNOWN: Mapping[str, set[str]] = {
    "projects": {"membership", "archived", "order_by"},
    "deployments": {"order_by", "sort", "status", "finished_after", "finished_before"},
    "pipelines": {"status", "updated_after", "order_by", "sort"},
    "jobs": {"scope[]", "include_retried"},
    "merge_requests": {"source_branch"},
    "compare": {"from", "to"},
    "tree": {"ref", "recursive"},
    "raw": {"ref"},
}


@dataclass(kw_only=True)
class FakeGitLab:
    """`refuse` is answered to everything; "hang" never answers."""

    deployments: list[dict[str, Any]] = field(default_factory=list)
    of_deployment: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    pipelines: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    traces: dict[int, bytes] = field(default_factory=dict)
    comparison: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=lambda: {"main": HEAD})
    cannot_revert: bool = False
    scopes: list[str] = field(default_factory=lambda: ["api"])
    refuse: tuple[int, Mapping[str, str], bytes] | str | None = None
    forbidden: set[str] = field(default_factory=set)
    page: int = 100
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    url: str = ""

    def changed(self) -> list[tuple[str, str, Any]]:
        return [(method, path, body) for method, path, _, body in self.asked if method != "GET"]

    async def answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        path = request.rel_url.raw_path.removeprefix("/api/v4")
        self.asked.append((request.method, path, dict(request.query), json.loads(raw) if raw else None))
        if self.refuse == "hang":
            await asyncio.Event().wait()
        if isinstance(self.refuse, tuple):
            return web.Response(status=self.refuse[0], headers=self.refuse[1], body=self.refuse[2])
        if request.headers.get("private-token") != TOKEN:
            return web.json_response({"message": "401 Unauthorized"}, status=401)
        last = path.rstrip("/").rsplit("/", 1)[-1]
        if last in self.forbidden:
            return web.json_response({"message": "403 Forbidden"}, status=403)
        unknown = set(request.query) - _KNOWN.get(last, set()) - _PAGED
        if request.method == "GET" and unknown:
            self.problems.append(f"{path}: {sorted(unknown)}")
        status, document = self._told(request.method, path, dict(request.query), json.loads(raw) if raw else {})
        if isinstance(document, bytes):
            return web.Response(status=status, body=document)
        if isinstance(document, list):
            return self._paged(document, int(request.query.get("page", "1")))
        return web.Response(status=status) if document is None else web.json_response(document, status=status)

    def _paged(self, items: list[Any], page: int) -> web.Response:
        first = (page - 1) * self.page
        more = str(page + 1) if first + self.page < len(items) else ""
        return web.json_response(items[first : first + self.page], headers={"x-next-page": more})

    def _told(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        project = {"path_with_namespace": PROJECT, "default_branch": "main", "web_url": f"{self.url}/{PROJECT}"}
        if (method, path) == ("GET", "/projects"):
            return 200, [project]
        if path == "/personal_access_tokens/self":
            return (200, {"scopes": self.scopes}) if method == "GET" else (204, None)
        home = "/projects/acme%2Fcheckout"
        if not path.startswith(home):
            return 404, {"message": "404 Project Not Found"}
        inside = path.removeprefix(home)
        told: Mapping[str, Callable[..., tuple[int, Any]]] = {
            r"GET ": lambda: (200, project),
            r"GET /deployments": lambda: (200, self.deployments),
            r"GET /deployments/(\d+)/merge_requests": lambda n: (200, self.of_deployment.get(int(n), [])),
            r"GET /merge_requests": lambda: (
                200,
                [r for r in self.requests if query.get("source_branch") in (None, r["source_branch"])],
            ),
            r"GET /merge_requests/(\d+)": lambda n: self._one(self.requests, "iid", int(n)),
            r"POST /merge_requests": lambda: self._drafted(body),
            r"PUT /merge_requests/(\d+)": lambda n: self._closed(int(n), body),
            r"GET /pipelines": lambda: (
                200,
                [p for p in self.pipelines if query.get("status") in (None, p["status"])],
            ),
            r"GET /pipelines/(\d+)/jobs": lambda n: (200, self._jobs(int(n), query)),
            r"GET /jobs/(\d+)": lambda n: self._one(self.jobs, "id", int(n)),
            r"GET /jobs/(\d+)/trace": lambda n: (
                (200, self.traces[int(n)]) if int(n) in self.traces else (404, {"message": "404 Not Found"})
            ),
            r"POST /jobs/(\d+)/(retry|cancel)": self._acted,
            r"GET /repository/compare": lambda: (200, self.comparison),
            r"GET /repository/commits": lambda: (200, []),
            r"GET /repository/commits/(\w+)": lambda sha: (
                200,
                {"id": f"{sha:b<40}", "web_url": f"{self.url}/{PROJECT}/-/commit/{sha}"},
            ),
            r"GET /repository/tree": lambda: (
                200,
                [{"id": f"blob{n}", "path": name, "type": "blob"} for n, name in enumerate(self.files)],
            ),
            r"GET /repository/blobs/blob(\d+)/raw": lambda n: (200, list(self.files.values())[int(n)]),
            r"GET /repository/files/([^/]+)/raw": lambda name: (
                (200, self.files[unquote(name)]) if unquote(name) in self.files else (404, {"message": "404 File"})
            ),
            r"GET /repository/branches/([^/]+)": lambda name: (
                (200, {"commit": {"id": self.branches[name]}}) if name in self.branches else (404, {"message": "404"})
            ),
            r"POST /repository/branches": lambda: self._branched(body["branch"], body["ref"]),
            r"DELETE /repository/branches/([^/]+)": lambda name: (
                (204, None) if self.branches.pop(name, None) else (404, {"message": "404 Branch Not Found"})
            ),
            r"POST /repository/commits": lambda: self._branched(body["branch"], body["start_sha"]),
            r"POST /repository/commits/(\w+)/revert": lambda _sha: (
                (400, {"message": "Sorry, we cannot revert this commit automatically."})
                if self.cannot_revert
                else self._branched(body["branch"], NEW)
            ),
        }
        for pattern, teller in told.items():
            if found := re.fullmatch(pattern, f"{method} {inside}"):
                return teller(*found.groups())
        return 404, {"message": "404 Not Found"}

    @staticmethod
    def _one(items: list[dict[str, Any]], key: str, number: int) -> tuple[int, Any]:
        one = next((item for item in items if item[key] == number), None)
        return (200, one) if one else (404, {"message": "404 Not found"})

    def _jobs(self, pipeline: int, query: dict[str, str]) -> list[dict[str, Any]]:
        mine = [j for j in self.jobs if j["pipeline"]["id"] == pipeline]
        if query.get("include_retried") != "true":
            mine = [j for j in mine if not j.get("retried")]
        return [j for j in mine if query.get("scope[]") in (None, j["status"])][::-1]

    def _acted(self, number: str, verb: str) -> tuple[int, Any]:
        one = next(j for j in self.jobs if j["id"] == int(number))
        if verb == "cancel":
            one["status"] = "canceled"
            return 201, one
        one["retried"] = True
        made = {**one, "id": max(j["id"] for j in self.jobs) + 1, "status": "pending", "retried": False}
        self.jobs.append({**made, "failure_reason": None})
        return 201, self.jobs[-1]

    def _branched(self, branch: str, sha: str) -> tuple[int, Any]:
        self.branches[branch] = sha
        return 201, {"id": sha, "title": "made", "name": branch, "commit": {"id": sha}}

    def _drafted(self, body: dict[str, Any]) -> tuple[int, Any]:
        assert body["source_branch"] in self.branches
        self.requests.append(
            a_request(len(self.requests) + 100, body["title"], state="opened", source_branch=body["source_branch"])
        )
        return 201, self.requests[-1]

    def _closed(self, number: int, body: dict[str, Any]) -> tuple[int, Any]:
        assert body == {"state_event": "close"}
        one = next(r for r in self.requests if r["iid"] == number)
        one["state"] = "closed"
        return 200, one


def a_deployment(number: int, sha: str, minutes_ago: float, environment: str = "production") -> dict[str, Any]:
    at = (NOW - timedelta(minutes=minutes_ago)).isoformat()
    return {
        "id": number,
        "ref": "main",
        "sha": sha,
        "status": "success",
        "created_at": at,
        "updated_at": at,
        "environment": {"name": environment},
        "deployable": {"name": "deploy", "finished_at": at, "web_url": f"https://gitlab.example.com/jobs/{number}"},
    }


def a_request(number: int, title: str, **more: Any) -> dict[str, Any]:
    return {
        "iid": number,
        "title": title,
        "state": "merged",
        "web_url": f"https://gitlab.example.com/acme/checkout/-/merge_requests/{number}",
        "source_branch": "feature",
        "target_branch": "main",
        "merged_at": (NOW - timedelta(hours=1)).isoformat(),
        "merge_commit_sha": NEW,
        **more,
    }


def a_job(number: int, status: str = "failed", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": "deploy",
        "stage": "deploy",
        "status": status,
        "failure_reason": "script_failure" if status == "failed" else None,
        "pipeline": {"id": 9},
        "web_url": f"https://gitlab.example.com/jobs/{number}",
        **more,
    }


def a_pipeline(number: int, status: str = "failed", sha: str = NEW) -> dict[str, Any]:
    return {
        "id": number,
        "ref": "main",
        "sha": sha,
        "status": status,
        "source": "push",
        "created_at": (NOW - timedelta(minutes=30)).isoformat(),
        "web_url": f"https://gitlab.example.com/pipelines/{number}",
    }


@asynccontextmanager
async def fake_gitlab(trusted: ssl.SSLContext | None = None) -> AsyncIterator[FakeGitLab]:
    """Over TLS where a context is given."""
    fake = FakeGitLab()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trusted)
    await site.start()
    port = runner.addresses[0][1]
    fake.url = f"https://localhost:{port}" if trusted else f"http://127.0.0.1:{port}"
    try:
        yield fake
    finally:
        await runner.cleanup()
