"""Code at a commit, by GitHub's trees and blobs: never the default branch's newest state."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from agents.connecting.connectors.github import GitHub
from agents.connecting.source_code import CodeFile, CodeSource
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, Unavailable
from tests.agents.connecting.connectors.github.conftest import NEW, OLD, R
from tests.fakes.github import FakeGitHub, commit, deployment, status

CONFIG = "pool_size = 5\npassword = 'hunter2hunter2'\n"
TREE = f"{R}/git/trees/{NEW}"


def entry(path: str, sha: str, size: int = 10, mode: str = "100644", kind: str = "blob") -> dict[str, Any]:
    return {"path": path, "mode": mode, "type": kind, "sha": sha * 40, "size": size, "url": "https://api.github.com/x"}


def blob(text: bytes) -> dict[str, Any]:
    return {"content": base64.encodebytes(text).decode(), "encoding": "base64", "sha": "1" * 40, "size": len(text)}


def tell(github: FakeGitHub, *entries: dict[str, Any], truncated: bool = False) -> None:
    github.tell(f"{R}/commits/{NEW[:8]}", commit(NEW, "Cut the pool", "2026-03-01T11:00:00Z"))
    github.tell(TREE, {"sha": NEW, "url": "https://api.github.com/x", "tree": list(entries), "truncated": truncated})


async def test_files_of_a_commit_are_listed_within_the_services_folders(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    tell(
        github,
        entry("checkout/config.toml", "1", 44),
        entry("checkout", "2", mode="040000", kind="tree"),
        entry("checkout/link", "3", mode="120000"),
        entry("payments/config.toml", "4"),
    )
    source = connect(paths={"checkout": ("checkout",)})
    assert isinstance(source, CodeSource)
    at = await source.files_at("checkout", NEW[:8])
    assert at.version == NEW
    assert at.files == (CodeFile(path="checkout/config.toml", content="1" * 40, size=44),)
    assert at.link("checkout/config.toml", 3) == f"{github.url}/acme/shop/blob/{NEW}/checkout/config.toml#L3"
    assert at.gaps == ()
    assert await source.files_with("checkout", at, "pool") is None
    assert github.asked[-1].query == {"recursive": "1"}


async def test_a_part_of_a_tree_is_a_gap_and_an_empty_one_is_none(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    tell(github, truncated=True)
    at = await connect().files_at("checkout", NEW[:8])
    assert (at.files, at.gaps) == ((), (f"GitHub lists only a part of the files of acme/shop at {NEW[:7]}",))
    tell(github)
    assert (await connect().files_at("checkout", NEW[:8])).gaps == ()


async def test_texts_come_without_their_secrets_and_what_is_no_text_is_named(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    files = [
        CodeFile(path=path, content=path[0] * 40, size=size)
        for path, size in (("a.toml", 9), ("b.bin", 9), ("c", 9**9))
    ]
    github.tell(f"{R}/git/blobs/{'a' * 40}", blob(CONFIG.encode()))
    github.tell(f"{R}/git/blobs/{'b' * 40}", blob(b"\0\1"))
    read = await connect().read_texts("checkout", files)
    assert read.texts == {"a.toml": "pool_size = 5\npassword = '[redacted:password]'\n"}
    assert read.gaps == ("b.bin is too large, or no text", "c is too large, or no text")
    assert len(github.asked) == 2


async def test_the_newest_deployments_that_took_effect_say_what_ran(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    of_checkout = {"payload": {"service": "checkout"}}
    github.tell(
        f"{R}/deployments",
        [
            deployment(4, "e" * 40, "2026-03-01T11:40:00Z", **of_checkout),
            deployment(3, NEW, "2026-03-01T11:29:00Z", **of_checkout),
            deployment(2, "c" * 40, "2026-03-01T11:10:00Z", payload={"service": "payments"}),
            deployment(1, OLD, "2026-02-20T10:00:00Z", **of_checkout),
        ],
    )
    github.tell(f"{R}/deployments/4/statuses", [status("failure", "2026-03-01T11:41:00Z")])
    github.tell(f"{R}/deployments/3/statuses", [status("success", "2026-03-01T11:30:00Z")])
    github.tell(f"{R}/deployments/1/statuses", [status("success", "2026-02-20T10:01:00Z")])
    found = await connect().deployed("checkout")
    assert [(one.id, one.version) for one in found] == [("deployment/checkout/3", NEW), ("deployment/checkout/1", OLD)]
    github.tell(f"{R}/deployments/4/statuses", (404, {}, {"message": "Not Found"}))
    with pytest.raises(Unavailable, match="the statuses of deployment 4 could not be read"):
        await connect().deployed("checkout")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((404, {}, {"message": "Not Found"}), BadArguments),
        ((403, {"x-accepted-github-permissions": "contents=read"}, {"message": "no"}), NeedsReauthorisation),
        ({"malformed": 1}, Unavailable),
        ((200, {}, b"<html>"), Unavailable),
    ],
)
async def test_a_tree_that_cannot_be_read_says_why(
    github: FakeGitHub, connect: Callable[..., GitHub], answer: Any, error: type[AgentError]
) -> None:
    tell(github)
    github.tell(TREE, answer)
    with pytest.raises(error):
        await connect().files_at("checkout", NEW[:8])
    github.tell(f"{R}/git/blobs/{'a' * 40}", {"malformed": 1, "content": "a", "encoding": "base64"})
    with pytest.raises(Unavailable, match="does not document"):
        await connect().read_texts("checkout", [CodeFile(path="a", content="a" * 40, size=1)])
