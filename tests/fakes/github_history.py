"""A small repository at GitHub as its Git database tells it: a branch, a merged pull request, and what holds drafts."""

from __future__ import annotations

import base64
from typing import Any

from agents.connecting.connectors.github import GitHub
from agents.remediation import RemediationContext
from tests.agents.connecting.connectors.github.conftest import NOW, SERVICES, R
from tests.fakes.github import REPOSITORY, FakeGitHub, commit

BEFORE, MERGED, HEAD = "1" * 40, "2" * 40, "3" * 40
TREE = "4" * 40
CONFIG = "checkout/config.toml"
TEXTS = {"a" * 40: "pool_size = 50\n", "b" * 40: "pool_size = 5\n", "c" * 40: "new = 1\n"}
PULL = {
    "number": 12,
    "title": "Cut the pool",
    "state": "closed",
    "html_url": "https://github.com/acme/shop/pull/12",
    "merged_at": "2026-03-01T11:00:00Z",
    "merge_commit_sha": MERGED,
    "commits": 1,
    "changed_files": 2,
    "additions": 2,
    "deletions": 1,
}
DRAFT = {
    "number": 40,
    "title": "Revert #12",
    "state": "open",
    "html_url": "https://github.com/acme/shop/pull/40",
    "merged_at": None,
    "merge_commit_sha": None,
}


def history(github: FakeGitHub, *, head: dict[str, str] | None = None) -> None:
    """#12 cut the pool and added a file; since then nothing of it changed. `head` are the files of main now."""
    before, after = {CONFIG: "a", "x.py": "d"}, {CONFIG: "b", "checkout/new.toml": "c", "x.py": "d"}
    for sha, files in ((BEFORE, before), (MERGED, after), (HEAD, head or after)):
        github.tell(f"{R}/commits/{sha}", commit(sha, "x", "2026-03-01T11:00:00Z"))
        tree = [
            {"path": path, "mode": "100644", "type": "blob", "sha": letter * 40, "size": 9, "url": "https://x/y"}
            for path, letter in files.items()
        ]
        github.tell(f"{R}/git/trees/{sha}", {"sha": TREE, "url": "https://x/y", "tree": tree, "truncated": False})
    for sha, text in TEXTS.items():
        content = base64.b64encode(text.encode()).decode()
        github.tell(f"{R}/git/blobs/{sha}", {"content": content, "encoding": "base64", "sha": sha, "size": len(text)})
    github.tell(f"{R}/git/commits/{MERGED}", git_commit(MERGED, BEFORE))
    github.tell(f"{R}/git/commits/{HEAD}", git_commit(HEAD, MERGED))
    github.tell(R, {"full_name": REPOSITORY, "name": "shop", "default_branch": "main"})
    at(github, HEAD)
    github.tell(f"{R}/pulls/12", PULL)
    github.tell(f"{R}/pulls", [])


def at(github: FakeGitHub, sha: str) -> None:
    """Main is at this commit."""
    object_ = {"type": "commit", "sha": sha, "url": "https://x/y"}
    github.tell(f"{R}/git/ref/heads/main", {"ref": "refs/heads/main", "object": object_})


def takes_drafts(github: FakeGitHub, branch: str, *, branched: bool = False, holds: str = "5" * 40) -> None:
    """Trees, commits, branches and drafts can be made. `holds` is the tree of a branch that is there."""
    object_ = {"type": "commit", "sha": "6" * 40, "url": "https://x/y"}
    made = [{"ref": f"refs/heads/{branch}", "object": object_}]
    github.tell(f"{R}/git/matching-refs/heads/{branch}", made if branched else [])
    if branched:
        github.tell(f"{R}/git/ref/heads/{branch}", made[0])
        commit = git_commit("6" * 40, HEAD)
        github.tell(f"{R}/git/commits/{'6' * 40}", {**commit, "tree": {**commit["tree"], "sha": holds}})
    github.tell(f"POST {R}/git/trees", (201, {}, {"sha": "5" * 40}))
    github.tell(f"POST {R}/git/commits", (201, {}, {"sha": "6" * 40}))
    github.tell(f"POST {R}/git/refs", (201, {}, made[0]))
    github.tell(f"POST {R}/pulls", (201, {}, DRAFT))
    github.tell(f"PATCH {R}/pulls/40", {**DRAFT, "state": "closed"})
    github.tell(f"DELETE {R}/git/refs/heads/{branch}", (204, {}, None))


def git_commit(sha: str, *parents: str) -> dict[str, Any]:
    return {
        "sha": sha,
        "message": "x",
        "tree": {"sha": TREE, "url": "https://x/y"},
        "parents": [{"sha": parent, "url": "https://x/y", "html_url": "https://x/y"} for parent in parents],
    }


def acting(source: GitHub) -> RemediationContext:
    """What a remediation is given where only this source can act."""
    return RemediationContext(actuators=(source,), changes=(source,), services=SERVICES, now=lambda: NOW)


def written(github: FakeGitHub) -> list[tuple[str, str]]:
    """What was changed at GitHub, in order."""
    return [(one.method, one.path.removeprefix(R)) for one in github.asked if one.method != "GET"]
