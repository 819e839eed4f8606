"""GitLab: what was deployed and by which merge requests, pipelines and traces, code, and in whose words it refuses."""

import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.connecting.code_host import CodeHost
from agents.connecting.connector import ChangeSource, ConnectorContext, Discovers, Revocable, Service
from agents.connecting.connectors.gitlab import CONNECTOR, GitLab
from agents.connecting.connectors.gitlab.asked import GitLabTrace, GitLabVersions, OfGitLabDeployment, OfGitLabService
from agents.connecting.connectors.gitlab.settings import GitLabConfig
from agents.connecting.outbound import EgressPolicy, Outbound, Untrusted
from agents.connecting.source_code import CodeSource
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, TooLarge, Unavailable
from agents.evidence.types import Window
from agents.rows import Changed, Logged, Searched
from store.secrets.redaction import Secret
from tests.fakes.certificate import make_certificate
from tests.fakes.gitlab import (
    NEW,
    NOW,
    OLD,
    PROJECT,
    TOKEN,
    FakeGitLab,
    a_deployment,
    a_job,
    a_pipeline,
    a_request,
    fake_gitlab,
)

SERVICES = (Service(name="checkout", repository=PROJECT), Service(name="payments"))
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
HOUR = Window(start=NOW - timedelta(hours=1), end=NOW)
Connect = Callable[..., GitLab]


@pytest.fixture
async def server() -> AsyncIterator[FakeGitLab]:
    async with fake_gitlab() as fake:
        yield fake


@pytest.fixture(autouse=True)
def documented(server: FakeGitLab) -> Iterator[None]:
    yield
    assert server.problems == []


@pytest.fixture
async def connect(server: FakeGitLab) -> AsyncIterator[Connect]:
    async def pause(_seconds: float) -> None:
        return

    async def local(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    outbound = Outbound(EgressPolicy(allow_networks=networks), sleep=pause, resolve=local)
    opened: list[GitLab] = []

    def make(*, token: str = TOKEN, services: tuple[Service, ...] = SERVICES[:1], **config: Any) -> GitLab:
        context = ConnectorContext(
            services=services, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(token)}
        )
        opened.append(CONNECTOR(GitLabConfig.model_validate({"url": server.url, **config}), context))
        return opened[-1]

    yield make
    for one in opened:
        await one.close()
    await outbound.close()


def test_it_is_a_source_of_changes_and_code_and_can_act(connect: Connect) -> None:
    source = connect()
    for kind in (ChangeSource, CodeSource, CodeHost, Discovers, Revocable):
        assert isinstance(source, kind), kind
    assert not source.can("retry_job", "checkout"), "nothing that no admin permitted"


async def test_deployments_with_what_ran_before_and_their_merge_requests(server: FakeGitLab, connect: Connect) -> None:
    server.deployments = [
        a_deployment(3, NEW, 20),
        a_deployment(2, "d" * 40, 30, environment="staging"),
        a_deployment(1, OLD, 4000),
    ]
    server.of_deployment = {3: [a_request(7, f"Cut the pool {SECRET}"), a_request(8, "Open", merged_at=None)]}
    read = await connect(environments=["production"]).read_changes(HOUR)
    assert [(one.version, one.previous_version) for one in read.changes] == [(NEW, OLD)]
    assert read.changes[0].at == NOW - timedelta(minutes=20)
    shown = await connect().gitlab_deployments(OfGitLabService(service="checkout"))
    assert [row.change for row in shown.rows if isinstance(row, Changed)] == [
        "deployment/checkout/3",
        "deployment/checkout/2",
    ]
    brought = await connect().gitlab_merge_requests(OfGitLabDeployment(service="checkout", deployment=3))
    (row,) = [one for one in brought.rows if isinstance(one, Changed)]
    assert (row.change, row.version) == ("!7", NEW)
    assert SECRET not in repr(brought)
    server.deployments = []
    nothing = await connect().gitlab_deployments(OfGitLabService(service="checkout"))
    assert nothing.gap is not None
    assert "whoever deploys it does not tell GitLab" in nothing.gap


async def test_whose_project_is_not_known_is_a_gap(server: FakeGitLab, connect: Connect) -> None:
    server.deployments = [a_deployment(3, NEW, 20, environment="prod/payments"), a_deployment(4, OLD, 10)]
    services = (Service(name="payments"), Service(name="web"))
    both = connect(services=services)
    read = await both.read_changes(HOUR)
    assert [one.service for one in read.changes] == ["payments"], "as its environment says"
    assert (await both.read_changes(HOUR, ["web"])).changes == []
    with pytest.raises(BadArguments, match="not a declared service"):
        await connect().read_diff("nobody", OLD, NEW)


async def test_pipelines_with_failed_jobs_and_their_traces(server: FakeGitLab, connect: Connect) -> None:
    server.pipelines = [a_pipeline(9), a_pipeline(8, "success", OLD)]
    server.jobs = [a_job(41), a_job(42, "success", name="test")]
    colour = "\x1b[31;1m"
    lines = [f"{colour}line {n}\x1b[0m" for n in range(200)]
    server.traces = {41: "\n".join([*lines, f"using token {SECRET}", "ERROR: no space left"]).encode()}
    shown = await connect().gitlab_pipelines(OfGitLabService(service="checkout"))
    assert "deploy (job 41): script_failure" in shown.text
    assert "success" in shown.text
    trace = await connect().gitlab_job_trace(GitLabTrace(service="checkout", job=41))
    assert trace.text.endswith("ERROR: no space left")
    assert "\x1b" not in trace.text
    assert SECRET not in repr(trace)
    assert trace.gap == "only the last 120 of 202 lines are shown"
    found = await connect().gitlab_job_trace(GitLabTrace(service="checkout", job=41, contains="no space"))
    assert [row.example for row in found.rows if isinstance(row, Logged)] == ["ERROR: no space left"]
    hidden = await connect().gitlab_job_trace(GitLabTrace(service="checkout", job=41, contains=SECRET[4:20]))
    assert isinstance(hidden.rows[0], Searched)
    assert hidden.rows[0].found == 0
    with pytest.raises(BadArguments, match="404"):
        await connect().gitlab_job_trace(GitLabTrace(service="checkout", job=99))
    server.forbidden = {"jobs"}
    partly = await connect().gitlab_pipelines(OfGitLabService(service="checkout"))
    assert partly.gap is not None
    assert "jobs of pipeline 9 could not be read" in partly.gap


async def test_what_lies_between_two_versions_and_code_as_it_ran(server: FakeGitLab, connect: Connect) -> None:
    server.comparison = {
        "commits": [{"id": OLD, "title": "First"}, {"id": NEW, "title": "Cut the pool"}],
        "diffs": [
            {"old_path": "a.py", "new_path": "a.py", "diff": f"@@ -1 +1 @@\n-pool = 50\n+pool = 5  # {SECRET}\n"},
            {"old_path": "big", "new_path": "big", "diff": "", "too_large": True},
            {"old_path": "db/migrations/7.sql", "new_path": "db/migrations/7.sql", "new_file": True, "diff": "+x\n"},
        ],
        "web_url": "https://gitlab.example.com/compare",
    }
    shown = await connect().gitlab_compare(GitLabVersions(service="checkout", from_version=OLD, to_version=NEW))
    assert "-pool = 50" in shown.text
    assert "migration: db/migrations/7.sql" in shown.text
    assert shown.gap is not None
    assert SECRET not in repr(shown)
    server.files = {"a.py": f"pool = 5\nkey = '{SECRET}'\n".encode(), "b.bin": b"\0\1", "c.txt": b"x" * 200_001}
    server.page = 2
    source = connect()
    at = await source.files_at("checkout", "b" * 10)
    assert [file.path for file in at.files] == ["a.py", "b.bin", "c.txt"], "of all pages"
    assert at.link("a.py", 1) == f"{server.url}/{PROJECT}/-/blob/{NEW}/a.py#L1"
    read = await source.read_texts("checkout", at.files)
    assert list(read.texts) == ["a.py"]
    assert SECRET not in read.texts["a.py"]
    assert len(read.gaps) == 2
    server.deployments = [a_deployment(3, NEW, 20)]
    assert [one.version for one in await source.deployed("checkout")] == [NEW]


@pytest.mark.parametrize(
    ("refusal", "error", "told"),
    [
        ((401, {}, b"{}"), NeedsReauthorisation, "ended or was revoked"),
        ((403, {}, b"{}"), NeedsReauthorisation, "its scope or its role"),
        ((404, {}, b"{}"), BadArguments, "there is none, or no right"),
        ((400, {}, b'{"message": "bad ref"}'), BadArguments, "bad ref"),
        ((429, {"retry-after": "30"}, b""), Unavailable, "used up for 30 s"),
        ((503, {}, b"down"), Unavailable, "answered 503"),
        ((200, {}, b"<html>sign in</html>"), Unavailable, "is not JSON"),
        ((200, {}, b'{"message": "no list"}'), Unavailable, "a form that it does not document"),
        ((200, {}, b"[" + b" " * 32_000_001 + b"]"), TooLarge, "more than 32000000 bytes"),
    ],
)
async def test_what_it_refuses_is_said_and_never_nothing_found(
    refusal: Any, error: type[AgentError], told: str, server: FakeGitLab, connect: Connect
) -> None:
    server.refuse = refusal
    with pytest.raises(error, match=told):
        await connect().read_changes(HOUR)
    if error is not TooLarge:
        check = await connect().check()
        assert not check.ok
        assert check.next_action


async def test_one_that_does_not_answer_is_given_up(
    server: FakeGitLab, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refuse = "hang"
    asked = Outbound.request

    async def soon(self: Outbound, method: str, url: str, **options: Any) -> Any:
        return await asked(self, method, url, **{**options, "timeout_s": 0.05})

    monkeypatch.setattr(Outbound, "request", soon)
    with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
        await connect().read_changes(HOUR)


async def test_the_check_names_what_is_missing_and_the_token_revokes_itself(
    server: FakeGitLab, connect: Connect
) -> None:
    assert (await connect().check()).ok
    server.forbidden, server.scopes = {"pipelines"}, ["read_api"]
    check = await connect(actions=["retry_job"]).check()
    assert (check.ok, check.usable) == (False, True)
    assert check.lacks[0].startswith("pipelines: the token may not use")
    assert "api: no job can be retried" in check.lacks[1]
    found = await connect().discover()
    assert [(one.name, one.repository) for one in found.services] == [("checkout", PROJECT)]
    await connect().revoke()
    assert server.changed() == [("DELETE", "/personal_access_tokens/self", None)]
    assert not (await connect(token="glpat-another-token-000").check()).usable


async def test_a_server_with_an_authority_of_its_own(tmp_path: Path, connect: Connect) -> None:
    chain, key = make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    async with fake_gitlab(tls) as own:
        own.deployments = [a_deployment(3, NEW, 20)]
        with pytest.raises(Untrusted):
            await connect(url=own.url).read_changes(HOUR)
        trusting = connect(url=own.url, certificate_authority=chain.read_text())
        assert len((await trusting.read_changes(HOUR)).changes) == 1
