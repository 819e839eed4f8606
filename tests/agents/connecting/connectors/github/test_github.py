"""GitHub: per tool what is found, an empty answer, further pages and a malformed one; per refusal what it means."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agents.connecting.connector import ChangeSource, Discovers, Revocable, Service
from agents.connecting.connectors.github import CONNECTOR, BetweenVersions, GitHub, GitHubConfig, OfCommit, OfService
from agents.connecting.connectors.github import client as github_client
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, Unavailable
from agents.evidence.types import Window
from agents.rows import Changed, Searched
from tests.agents.connecting.connectors.github.conftest import NEW, NOW, OLD, R, Ticking
from tests.fakes.github import (
    REPOSITORY,
    TOKEN,
    FakeGitHub,
    changed_file,
    commit,
    comparison,
    deployment,
    status,
)


def deployed(github: FakeGitHub) -> None:
    """Checkout went from OLD to NEW at 11:30; payments before that; one deployment failed."""
    github.tell(
        f"{R}/deployments",
        [
            deployment(4, NEW, "2026-03-01T11:29:00Z", payload={"service": "checkout"}),
            deployment(3, "c" * 40, "2026-03-01T11:10:00Z", payload='{"service": "payments"}'),
            deployment(2, "d" * 40, "2026-03-01T11:00:00Z", environment="checkout-production"),
            deployment(1, OLD, "2026-02-20T10:00:00Z", task="deploy:checkout"),
        ],
    )
    github.tell(
        f"{R}/deployments/4/statuses",
        [status("inactive", "2026-03-01T11:59:00Z"), status("success", "2026-03-01T11:30:00Z")],
    )
    github.tell(f"{R}/deployments/3/statuses", [status("success", "2026-03-01T11:11:00Z")])
    github.tell(f"{R}/deployments/2/statuses", [status("failure", "2026-03-01T11:01:00Z")])
    github.tell(f"{R}/deployments/1/statuses", [status("success", "2026-02-20T10:01:00Z")])
    github.tell(f"{R}/compare/{OLD}...{NEW}", comparison(NEW, changed_file("checkout/config.toml")))


WINDOW = Window(start=NOW - timedelta(hours=24), end=NOW)


async def test_deployments_are_changes_when_they_took_effect_with_what_ran_before(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    deployed(github)
    source = connect()
    assert isinstance(source, ChangeSource)
    read = await source.read_changes(WINDOW)
    assert [(c.service, c.version, c.previous_version, c.at) for c in read.changes] == [
        ("payments", "c" * 40, None, datetime(2026, 3, 1, 11, 11, tzinfo=UTC)),
        ("checkout", NEW, OLD, datetime(2026, 3, 1, 11, 30, tzinfo=UTC)),
    ]
    assert read.changes[1].paths == ("checkout/config.toml",)
    assert read.changes[1].link == f"{github.url}/acme/shop/deployments/production"
    assert read.gaps == ()
    only = await source.read_changes(WINDOW, ["payments"])
    assert [c.service for c in only.changes] == ["payments"]


async def test_deployments_are_listed_with_how_they_ended(github: FakeGitHub, connect: Callable[..., GitHub]) -> None:
    deployed(github)
    output = await connect().github_deployments(OfService(service="checkout"))
    searched, *rows = output.rows
    assert isinstance(searched, Searched)
    assert searched.found == 3
    assert [row.line for row in rows if isinstance(row, Changed)] == [
        "2026-03-01 11:30:00 UTC bbbbbbb to production deploy 4",
        "2026-03-01 11:01:00 UTC ddddddd to checkout-production, failure deploy 2",
        "2026-02-20 10:01:00 UTC aaaaaaa to production deploy 1",
    ]
    assert all(row.link for row in rows)


async def test_a_diff_is_whole_or_says_that_it_is_not(github: FakeGitHub, connect: Callable[..., GitHub]) -> None:
    moved = changed_file("a/new.py", status="renamed", previous_filename="a/old.py")
    github.tell(
        f"{R}/compare/{OLD}...{NEW}",
        comparison(NEW, moved, changed_file("db/migrations/7_add.sql", status="added"), changed_file("big.bin", None)),
    )
    diff = await connect().read_diff("checkout", OLD, NEW)
    assert "diff --git a/a/old.py b/a/new.py\n--- a/a/old.py\n+++ b/a/new.py\n@@ -1 +1 @@\n-pool = 50" in diff.text
    assert diff.migrations == ("db/migrations/7_add.sql",)
    assert not diff.whole
    assert diff.link == "https://github.com/acme/shop/compare/a...b"
    narrow = await connect(paths={"checkout": ("db",)}).read_diff("checkout", OLD, NEW)
    assert narrow.paths == ("db/migrations/7_add.sql",)
    assert narrow.whole
    output = await connect().github_compare(BetweenVersions(service="checkout", from_version=OLD, to_version=NEW))
    assert output.gap == "GitHub does not show the whole diff of checkout@bbbbbbb"
    assert "migration: db/migrations/7_add.sql" in output.text


async def test_a_secret_in_a_diff_is_not_read(github: FakeGitHub, connect: Callable[..., GitHub]) -> None:
    key = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    github.tell(f"{R}/compare/{OLD}...{NEW}", comparison(NEW, changed_file("a.py", f"@@ -1 +1 @@\n+key = '{key}'")))
    assert key not in (await connect().read_diff("checkout", OLD, NEW)).text


PULL = {
    "number": 42,
    "title": "Cut the pool",
    "state": "closed",
    "html_url": "https://github.com/acme/shop/pull/42",
    "merged_at": "2026-03-01T11:00:00Z",
    "updated_at": "2026-03-01T11:00:00Z",
    "merge_commit_sha": NEW,
}
RUN = {
    "id": 7,
    "name": "deploy",
    "head_sha": NEW,
    "head_branch": "main",
    "event": "push",
    "status": "completed",
    "conclusion": "failure",
    "html_url": "https://github.com/acme/shop/actions/runs/7",
    "run_started_at": "2026-03-01T11:20:00Z",
    "created_at": "2026-03-01T11:20:00Z",
    "updated_at": "2026-03-01T11:25:00Z",
}
TOOLS: dict[str, tuple[str, Any, Any, Any]] = {
    "github_deployments": (
        f"{R}/deployments",
        OfService(service="checkout"),
        [deployment(1, NEW, "2026-03-01T11:00:00Z", payload={"service": "checkout"})],
        [],
    ),
    "github_commits": (
        f"{R}/commits",
        OfService(service="checkout"),
        [commit(NEW, "Cut the pool", "2026-03-01T11:00:00Z")],
        [],
    ),
    "github_pull_requests": (f"{R}/commits/{NEW}/pulls", OfCommit(service="checkout", version=NEW), [PULL], []),
    "github_workflow_runs": (
        f"{R}/actions/runs",
        OfService(service="checkout"),
        {"total_count": 1, "workflow_runs": [RUN]},
        {"total_count": 0, "workflow_runs": []},
    ),
}


@pytest.mark.parametrize("name", TOOLS)
async def test_each_tool_finds_says_when_nothing_is_there_and_never_guesses(
    name: str, github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    path, arguments, full, empty = TOOLS[name]
    github.tell(f"{R}/deployments/1/statuses", [status("success", "2026-03-01T11:01:00Z")])
    run = getattr(connect(), name)
    github.tell(path, full)
    found = await run(arguments)
    searched, *rows = found.rows
    assert searched.found == len(rows) == 1
    assert isinstance(rows[0], Changed)
    assert rows[0].link
    assert (rows[0].service, rows[0].version) == ("checkout", NEW)
    assert rows[0].line in found.text
    github.tell(path, empty)
    nothing = await run(arguments)
    assert nothing.rows[0].found == 0
    assert nothing.text.startswith("no ")
    for malformed in ({"malformed": True}, [{"malformed": True}], b"<html>malformed</html>"):
        github.tell(path, malformed)
        with pytest.raises(Unavailable):
            await run(arguments)


@pytest.mark.parametrize("name", ["github_commits", "github_workflow_runs"])
async def test_further_pages_are_read_and_what_is_left_is_a_gap(
    name: str, github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    path, arguments, full, _ = TOOLS[name]
    more = {"link": f'<https://elsewhere.example{path}?page=2>; rel="next", <https://x>; rel="last"'}
    github.tell(path, (200, more, full))
    output = await getattr(connect(), name)(arguments)
    pages = [one.query.get("page") for one in github.asked if one.path == path]
    assert pages == [None, "2", "2"], "the number is followed, the address is not"
    assert output.gap is not None
    assert "were not read" in output.gap


LIMITED = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 600)}
REFUSALS: list[tuple[Any, type[AgentError], str]] = [
    ((401, {}, {"message": "Bad credentials"}), NeedsReauthorisation, "does not accept the credential (401)"),
    (
        (
            403,
            LIMITED,
            {"message": "API rate"},
        ),
        Unavailable,
        "rate limit is used up until 12:10 UTC",
    ),
    ((403, {"retry-after": "30"}, {"message": "secondary rate limit"}), Unavailable, "rate limit is used up for 30 s"),
    (
        (403, {"x-github-sso": "required; url=https://github.com/orgs/acme/sso?x=1"}, {"message": "SAML"}),
        NeedsReauthorisation,
        "the organisation wants single sign-on",
    ),
    (
        (403, {"x-accepted-github-permissions": "contents=read"}, {"message": "Resource not accessible"}),
        NeedsReauthorisation,
        "may not read commits of acme/shop (403), it lacks contents:read",
    ),
    ((404, {}, {"message": "Not Found"}), BadArguments, "shows no commits of acme/shop to this credential (404)"),
    ((409, {}, {"message": "Git Repository is empty."}), BadArguments, "the repository is empty"),
    ((429, {"retry-after": "5"}, {"message": "slow down"}), Unavailable, "rate limit is used up for 5 s"),
    ((500, {}, None), Unavailable, "answered 500"),
    ((503, {}, None), Unavailable, "answered 503"),
]


@pytest.mark.parametrize(("answer", "kind", "told"), REFUSALS, ids=[str(one[0][0]) + one[2][:12] for one in REFUSALS])
async def test_each_refusal_is_said_in_words_that_help(
    github: FakeGitHub, connect: Callable[..., GitHub], answer: Any, kind: type[AgentError], told: str
) -> None:
    github.tell(f"{R}/commits", answer)
    with pytest.raises(kind) as caught:
        await connect().github_commits(OfService(service="checkout"))
    assert told in str(caught.value)
    assert TOKEN not in str(caught.value)


async def test_a_server_that_hangs_is_left_after_its_time(github: FakeGitHub, connect: Callable[..., GitHub]) -> None:
    github.tell(f"{R}/commits", "hang")
    source = connect()
    with pytest.raises(Unavailable, match="did not answer within"):
        await source._client.get(f"{R}/commits", what="commits", timeout_s=0.05)


async def test_what_may_not_be_read_is_a_gap_and_never_an_absence(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    deployed(github)
    github.tell(f"{R}/deployments/4/statuses", (403, {}, {"message": "no"}))
    github.tell(f"{R}/compare/{OLD}...{NEW}", (404, {}, {"message": "Not Found"}))
    read = await connect().read_changes(WINDOW)
    assert [c.version for c in read.changes if c.service == "checkout"] == [NEW]
    assert any("statuses of deployment 4 could not be read" in gap for gap in read.gaps)
    assert any("the files it changed could not be read" in gap for gap in read.gaps)
    github.tell(f"{R}/deployments", (404, {}, {"message": "Not Found"}))
    with pytest.raises(BadArguments):
        await connect().read_changes(WINDOW)
    github.tell(f"{R}/deployments", [])
    silent = await connect().read_changes(WINDOW)
    assert silent.gaps == ("acme/shop: GitHub has no deployments of it; whoever deploys it does not tell GitHub",)
    github.tell(f"{R}/deployments", [deployment(9, NEW, "2026-03-01T11:00:00Z")])
    unnamed = await connect().read_changes(WINDOW)
    assert unnamed.gaps == ("acme/shop: its 1 deployments do not say which service they are of",)


async def test_a_check_tells_each_right_that_is_missing(github: FakeGitHub, connect: Callable[..., GitHub]) -> None:
    github.tell(R, {"full_name": REPOSITORY, "name": "shop"})
    for part in ("deployments", "commits", "pulls"):
        github.tell(f"{R}/{part}", [])
    github.tell(f"{R}/actions/runs", (403, {"x-accepted-github-permissions": "actions=read"}, {"message": "no"}))
    check = await connect().check()
    assert (check.ok, check.usable) == (False, True)
    (lost,) = check.lacks
    assert lost.startswith("actions:read: workflow runs are not known")
    github.tell(f"{R}/actions/runs", {"total_count": 0, "workflow_runs": []})
    assert (await connect().check()).ok
    github.token = "another"
    refused = await connect().check()
    assert not refused.usable
    assert "(401)" in refused.detail
    github.token = TOKEN
    github.tell("/user/repos", [])
    assert "may see no repository" in (await connect(repositories=()).check()).detail


async def test_services_are_discovered_from_repositories_and_from_deployments(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    source = connect(repositories=())
    assert isinstance(source, Discovers)
    names = [("acme/shop", {}), ("acme/search", {}), ("acme/old", {"archived": True}), ("acme/locked", {})]
    github.tell("/user/repos", [{"full_name": n, "name": n[5:], **more} for n, more in names])
    deployed(github)
    github.tell("/repos/acme/search/deployments", [])
    found = await source.discover()
    assert [(one.name, one.repository) for one in found.services] == [
        ("checkout", "acme/shop"),
        ("payments", "acme/shop"),
        ("search", "acme/search"),
        ("locked", "acme/locked"),
    ]
    assert any(gap.startswith("acme/locked: its deployments could not be read") for gap in found.gaps)


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def app() -> dict[str, Any]:
    pem = _key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return {"credentials": {"private_key": pem}, "app_id": "12", "installation_id": "34"}


def issued(token: str, at: datetime) -> tuple[int, dict[str, str], dict[str, Any]]:
    return 201, {}, {"token": token, "expires_at": f"{at + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}


@pytest.fixture(autouse=True)
def _no_tokens() -> None:
    github_client.GitHubClient._live.clear()


async def test_an_apps_token_is_asked_for_with_its_signature_and_renewed_before_it_ends(
    github: FakeGitHub, connect: Callable[..., GitHub], ticking: Ticking
) -> None:
    path = "/app/installations/34/access_tokens"
    github.tell(path, issued("ghs_first", NOW), issued("ghs_second", NOW + timedelta(minutes=56)))
    github.tell(f"{R}/commits", [])
    source = connect(**app())
    github.token = "ghs_first"
    for minutes in (0, 54):
        ticking.at = NOW + timedelta(minutes=minutes)
        await source.github_commits(OfService(service="checkout"))
    assert github.paths().count(path) == 1
    ticking.at = NOW + timedelta(minutes=56)
    github.token = "ghs_second"
    await source.github_commits(OfService(service="checkout"))
    assert github.paths().count(path) == 2
    asked = next(one for one in github.asked if one.path == path)
    head, claims, signature = asked.headers["authorization"].removeprefix("Bearer ").split(".")
    told = json.loads(_read(claims))
    assert (told["iss"], told["exp"] - told["iat"]) == ("12", 600)
    _key().public_key().verify(_read(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256())


def _read(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def test_a_token_that_was_revoked_early_is_renewed_once(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    github.tell("/app/installations/34/access_tokens", issued("ghs_dead", NOW), issued("ghs_live", NOW))
    github.tell(f"{R}/commits", [])
    github.token = "ghs_live"
    output = await connect(**app()).github_commits(OfService(service="checkout"))
    assert output.rows[0].found == 0  # type: ignore[attr-defined] # what was looked for


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, {}, {"message": "Not Found"}), "knows no installation 34 of App 12"),
        ((401, {}, {"message": "bad"}), "did not accept the private key for App 12"),
        ((201, {}, {"malformed": 1}), "in a form that it does not document"),
    ],
)
async def test_an_app_that_cannot_get_a_token_says_why(
    github: FakeGitHub, connect: Callable[..., GitHub], answer: Any, told: str
) -> None:
    github.tell("/app/installations/34/access_tokens", answer)
    with pytest.raises(AgentError, match=told):
        await connect(**app()).github_commits(OfService(service="checkout"))


async def test_a_private_key_that_is_none_is_told(connect: Callable[..., GitHub]) -> None:
    source = connect(credentials={"private_key": "nonsense"}, app_id="12", installation_id="34")
    assert "paste the whole .pem file" in (await source.check()).detail


async def test_revoking_ends_an_apps_token_and_reports_a_plain_one(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    github.tell("/app/installations/34/access_tokens", issued("ghs_x", NOW))
    github.tell(f"{R}/commits", [])
    github.tell("/installation/token", (204, {}, None))
    github.token = "ghs_x"
    assert issubclass(CONNECTOR, Revocable)
    await connect(**app()).github_commits(OfService(service="checkout"))
    await connect(**app()).revoke()
    await connect(**app()).revoke()
    assert [one.method for one in github.asked if one.path == "/installation/token"] == ["DELETE"]
    github.tell("/credentials/revoke", (202, {}, {}))
    await connect().revoke()
    assert json.loads(github.asked[-1].body) == {"credentials": [TOKEN]}
    assert "authorization" not in github.asked[-1].headers


def test_a_service_without_a_repository_of_its_own_is_found_by_name_or_alone() -> None:
    assert CONNECTOR.hosts(GitHubConfig()) == ("api.github.com",)
    with pytest.raises(ValueError, match="owner/name"):
        GitHubConfig(repositories=("shop",))


async def test_which_repository_is_a_services_own_must_be_known(
    github: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    source = connect(services=(Service(name="cart"),), repositories=("acme/shop", "acme/search"))
    with pytest.raises(BadArguments, match="which repository at GitHub is its own is not known"):
        await source.github_commits(OfService(service="cart"))
    github.tell("/repos/acme/search/commits", [])
    alias = Service(name="cart", aliases=("repository:acme/search",))
    found = await connect(services=(alias,), repositories=("acme/shop", "acme/search")).github_commits(
        OfService(service="cart")
    )
    assert found.summary == "0 commits of acme/search"
