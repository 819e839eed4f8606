import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from agents.connecting.connector import ChangeSource, ConnectorContext
from agents.connecting.connectors.git import CONNECTOR, FileAt, Git, GitConfig, ListDeployments, ReadDiff, ShowCommit
from agents.errors import AgentError, BadArguments, NotPermitted
from agents.evidence.types import Window

ContextOf = Callable[..., ConnectorContext]
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ALL = Window(start=START - timedelta(days=1), end=START + timedelta(days=1))


class Repository:
    """A real repository with commits and deployment tags at set times."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.at = folder, START
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, stdin: str = "") -> str:
        stamp = f"{int(self.at.timestamp())} +0100"
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@example.com",
            "GIT_AUTHOR_DATE": stamp,
            "GIT_COMMITTER_DATE": stamp,
        }
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=self.folder,
            env=environment,
            capture_output=True,
            check=True,
            input=stdin.encode(),
        )
        return done.stdout.decode().strip()

    def commit(self, subject: str, **files: str) -> str:
        """Keys are paths with `__` for a slash and no suffix."""
        self.at += timedelta(minutes=1)
        for key, text in files.items():
            path = self.folder / f"{key.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def deploy(self, service: str, number: int, version: str) -> None:
        self.at += timedelta(minutes=1)
        self.git("tag", "-a", "-m", "deploy", f"deploy/{service}/{number}", version)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


@pytest.fixture
def connect(repository: Repository, context_of: ContextOf) -> Callable[..., Git]:
    def build(**options: object) -> Git:
        config = GitConfig.model_validate({"repository": str(repository.folder), **options})
        return Git(config, context_of("checkout", "payments"))

    return build


async def test_deployments_are_changes_with_time_versions_summary_and_paths(
    repository: Repository, connect: Callable[..., Git]
) -> None:
    first = repository.commit("Start", checkout__app="1")
    repository.deploy("checkout", 9, first)
    second = repository.commit("Cut the pool", checkout__app="2")
    repository.deploy("checkout", 10, second)
    repository.deploy("payments", 1, second)
    repository.git("tag", "deploy/checkout/11", second)
    git = connect()
    assert isinstance(git, ChangeSource)
    old, new, other = (await git.read_changes(ALL)).changes
    assert (old.id, old.version, old.previous_version, old.paths) == ("deploy/checkout/9", first, None, ())
    assert (new.id, new.service, new.kind) == ("deploy/checkout/10", "checkout", "deployment")
    assert (new.version, new.previous_version) == (second, first)
    assert (new.summary, new.paths) == ("Cut the pool", ("checkout/app.py",))
    assert new.at == START + timedelta(minutes=4)
    assert other.service == "payments"
    assert list(await git.read_changes(Window(start=new.at, end=new.at))) == [new]
    listed = await git.list_deployments(ListDeployments(service="checkout"))
    assert [d["version"] for d in listed.facts["deployments"]] == [second, first]
    assert (await git.check()).ok


async def test_tags_of_the_same_second_keep_their_number_order(
    repository: Repository, connect: Callable[..., Git]
) -> None:
    versions = [repository.commit(f"c{n}", a=str(n)) for n in range(3)]
    for number, version in zip((8, 9, 10), versions, strict=True):
        repository.git("tag", "-a", "-m", "d", f"deploy/checkout/{number}", version)
    assert [change.version for change in (await connect().read_changes(ALL)).changes] == versions


async def test_a_diff_names_other_commits_migrations_and_its_link(
    repository: Repository, connect: Callable[..., Git]
) -> None:
    first = repository.commit("Start", checkout__app="pool = 50\n")
    between = repository.commit("Add a column", checkout__migrations__v2="alter")
    repository.commit("Elsewhere", payments__app="x")
    last = repository.commit("Tune", checkout__app="pool = 5\n")
    git = connect(paths={"checkout": ["checkout"]}, link="https://git.example/compare/{from}...{to}")
    diff = await git.read_diff("checkout", first[:8], last)
    assert (diff.from_version, diff.to_version) == (first, last)
    assert diff.paths == ("checkout/app.py", "checkout/migrations/v2.py")
    assert diff.others == (f"{between[:7]} Add a column",)
    assert diff.migrations == ("checkout/migrations/v2.py",)
    assert diff.link == f"https://git.example/compare/{first}...{last}"
    assert "-pool = 50\n+pool = 5\n" in diff.text
    back = await git.read_diff("checkout", last, first)
    assert (back.others, back.migrations) == ((), ())
    output = await git.compare_versions(ReadDiff(service="checkout", from_version=first, to_version=last))
    assert output.facts["to_version"] == last
    assert "+pool = 5" in output.text
    assert {t.name for t in git.tools()} == {"list_deployments", "show_commit", "compare_versions", "file_at"}


async def test_commits_and_files_are_read_at_a_version(repository: Repository, connect: Callable[..., Git]) -> None:
    first = repository.commit("Start", app="old\n")
    second = repository.commit("Next", app="new\n")
    git = connect()
    assert (await git.file_at(FileAt(path="app.py", version=first))).text == "old\n"
    shown = (await git.show_commit(ShowCommit(version=second[:7]))).text
    assert "Next" in shown
    assert "+new" in shown


async def test_long_diffs_are_cut_and_say_so(repository: Repository, connect: Callable[..., Git]) -> None:
    first = repository.commit("Start", app="")
    last = repository.commit("Much", app="line of text\n" * 50_000)
    diff = await connect().read_diff("checkout", first, last)
    assert len(diff.text) < 61_000
    assert "[cut here" in diff.text


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "--output=x", ":/app.py", "a/../../b", ".git/config", ""])
async def test_a_path_that_leaves_the_repository_is_refused(
    repository: Repository, connect: Callable[..., Git], path: str
) -> None:
    version = repository.commit("Start", app="x")
    with pytest.raises((NotPermitted, ValidationError)):
        await connect().file_at(FileAt(path=path, version=version))


@pytest.mark.parametrize("version", ["--output=/tmp/x", "HEAD", "main", "abc", "deploy/checkout/1", "0" * 40])
async def test_a_version_that_is_no_known_commit_is_refused(
    repository: Repository, connect: Callable[..., Git], version: str
) -> None:
    first = repository.commit("Start", app="x")
    with pytest.raises(BadArguments):
        await connect().read_diff("checkout", first, version)


async def test_programs_configured_in_the_repository_are_not_run(
    repository: Repository, connect: Callable[..., Git], tmp_path: Path
) -> None:
    first = repository.commit("Start", app="x\n")
    second = repository.commit("Next", app="y\n")
    trap = f"touch {tmp_path / 'ran'}; false"
    (repository.folder / ".git" / "info").mkdir(exist_ok=True)
    (repository.folder / ".git" / "info" / "attributes").write_text("*.py diff=trap\n")
    for key in (
        "diff.trap.textconv",
        "diff.trap.command",
        "diff.external",
        "core.fsmonitor",
        "core.pager",
        "gpg.program",
    ):
        repository.git("config", key, trap)
    repository.git("config", "log.showSignature", "true")
    git = connect()
    assert "+y" in (await git.read_diff("checkout", first, second)).text
    assert "+y" in (await git.show_commit(ShowCommit(version=second))).text
    assert (await git.file_at(FileAt(path="app.py", version=second))).text == "y\n"
    assert not (tmp_path / "ran").exists()


async def test_a_folder_without_repository_and_services_without_tags_fail_the_check(
    repository: Repository, connect: Callable[..., Git], context_of: ContextOf, tmp_path: Path
) -> None:
    repository.commit("Start", app="x")
    silent = await connect().check()
    assert not silent.ok
    assert "checkout, payments" in silent.detail
    nowhere = Git(GitConfig(repository=tmp_path), context_of("checkout"))
    assert not (await nowhere.check()).ok
    with pytest.raises(AgentError):
        await nowhere.read_changes(ALL)


@pytest.mark.parametrize(
    "config", [{"repository": "shop"}, {"repository": "/x", "deployments": "--all"}, {"repository": "/x", "push": 1}]
)
def test_unusable_settings_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GitConfig.model_validate(config)


def test_it_is_a_host_connector() -> None:
    assert CONNECTOR.host


async def test_the_newest_deployments_are_read_however_many_there_are(
    repository: Repository, connect: Callable[..., Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.connecting.connectors.git._MOST_TAGS", 3)
    for number in range(1, 6):
        repository.deploy("checkout", number, repository.commit(f"c{number}", checkout__app=str(number)))
    read = await connect().read_changes(ALL)
    assert [change.id for change in read.changes] == [f"deploy/checkout/{n}" for n in (3, 4, 5)]
    assert "checkout: only the newest 3 deployments were read" in read.gaps
    recent = await connect().read_changes(Window(start=read.changes[-1].at, end=ALL.end))
    assert ([change.id for change in recent], recent.gaps) == (["deploy/checkout/5"], ())


async def test_a_listing_that_is_cut_ends_with_whole_old_deployments(
    repository: Repository, connect: Callable[..., Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.connecting.connectors.git._TAG_BYTES", 500)
    for number in range(1, 9):
        repository.deploy("checkout", number, repository.commit(f"c{number}", checkout__app=str(number)))
    read = await connect().read_changes(ALL)
    assert 1 <= len(read) < 8
    assert read.changes[-1].id == "deploy/checkout/8"
    assert f"checkout: only the newest {len(read)} deployments were read" in read.gaps


@pytest.mark.slow
async def test_thousands_of_deployments_are_no_trouble(repository: Repository, connect: Callable[..., Git]) -> None:
    head = repository.commit("Start", checkout__app="1")
    tags = [
        f"tag deploy/checkout/{n}\nfrom {head}\ntagger a <a@b> {int(START.timestamp()) + n} +0000\ndata 6\ndeploy\n"
        for n in range(1, 2_501)
    ]
    repository.git("fast-import", "--quiet", stdin="".join(tags))
    read = await connect().read_changes(ALL)
    assert len(read) == 2_000
    assert read.changes[-1].id == "deploy/checkout/2500"
    assert any("only the newest 2000 deployments" in gap for gap in read.gaps)
    assert any("the files of the 1950 oldest deployments were not read" in gap for gap in read.gaps)


async def test_what_cannot_be_compared_costs_only_its_own_files(
    repository: Repository, connect: Callable[..., Git]
) -> None:
    first = repository.commit("Start", checkout__app="1")
    second = repository.commit("Next", checkout__app="2")
    repository.deploy("checkout", 1, first)
    repository.deploy("checkout", 2, second)
    repository.deploy("payments", 1, first)
    tree = repository.git("rev-parse", f"{second}^{{tree}}")
    (repository.folder / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    read = await connect().read_changes(ALL)
    assert [(change.id, change.paths) for change in read] == [
        ("deploy/checkout/1", ()),
        ("deploy/checkout/2", ()),
        ("deploy/payments/1", ()),
    ]
    assert read.gaps[0].startswith("deploy/checkout/2: the files it changed could not be read: git diff failed")


async def test_a_lightweight_tag_is_told_and_never_dated(repository: Repository, connect: Callable[..., Git]) -> None:
    for service in ("checkout", "payments"):
        repository.deploy(service, 1, repository.commit("Start", checkout__app=service))
    newer = repository.commit("Next", checkout__app="3")
    repository.git("tag", "deploy/checkout/2", newer)
    git = connect()
    read = await git.read_changes(ALL)
    assert [change.id for change in read] == ["deploy/checkout/1", "deploy/payments/1"]
    gap = "checkout: 1 newer tag may mark deployments, but are lightweight and carry no time"
    assert read.gaps == (gap,)
    checked = await git.check()
    assert (checked.ok, checked.detail) == (False, gap)
    assert "git tag -a" in checked.next_action
    assert (await git.list_deployments(ListDeployments(service="checkout"))).gap == gap


async def test_tags_of_tags_are_followed_and_tags_on_files_are_no_deployments(
    repository: Repository, connect: Callable[..., Git]
) -> None:
    first = repository.commit("Start", checkout__app="1")
    repository.deploy("checkout", 1, first)
    second = repository.commit("Next", checkout__app="2")
    repository.git("tag", "-a", "-m", "v2", "v2", second)
    repository.at += timedelta(minutes=1)
    repository.git("tag", "-a", "-m", "deploy", "deploy/checkout/2", "v2")
    blob = repository.git("rev-parse", f"{second}:checkout/app.py")
    repository.deploy("checkout", 3, blob)
    repository.git("tag", "deploy/checkout/4", blob)
    old, new = await connect().read_changes(ALL)
    assert (old.version, new.id, new.version, new.paths) == (first, "deploy/checkout/2", second, ("checkout/app.py",))


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\f", "\v", "\x1c", "\r", "\x1e"])
async def test_a_subject_may_hold_any_separator(
    repository: Repository, connect: Callable[..., Git], separator: str
) -> None:
    first = repository.commit("Start", checkout__app="1")
    repository.deploy("checkout", 1, first)
    second = repository.commit(f"fix{separator}pay", checkout__app="2")
    repository.deploy("checkout", 2, second)
    repository.deploy("checkout", 3, repository.commit("More", checkout__app="3"))
    read = await connect().read_changes(ALL)
    assert [change.id for change in read] == [f"deploy/checkout/{n}" for n in (1, 2, 3)]
    diff = await connect().read_diff("checkout", first, str(read[2].version))
    assert len(diff.others) == 1


@pytest.mark.parametrize(
    ("pattern", "tags", "found"),
    [
        ("{service}-v*", ["checkout-v1.2.3", "checkout-web-v1", "payments-v7"], ["checkout-v1.2.3", "payments-v7"]),
        ("@acme/{service}@*", ["@acme/checkout@1.2.3", "@acme/other@1"], ["@acme/checkout@1.2.3"]),
        ("{service}/v*", ["checkout/v1.2.3"], ["checkout/v1.2.3"]),
        ("{service}-*", ["payments-1", "payments-api-2"], ["payments-1", "payments-api-2"]),
    ],
)
async def test_conventions_of_monorepos_can_be_declared(
    repository: Repository, context_of: ContextOf, pattern: str, tags: list[str], found: list[str]
) -> None:
    version = repository.commit("Start", checkout__app="1")
    for tag in tags:
        repository.at += timedelta(minutes=1)
        repository.git("tag", "-a", "-m", "deploy", tag, version)
    config = GitConfig.model_validate({"repository": str(repository.folder), "deployments": pattern})
    read = await Git(config, context_of("checkout", "payments", "payments-api")).read_changes(ALL)
    assert [change.id for change in read] == found
    owners = {change.id: change.service for change in read}
    assert owners.get("payments-api-2", "payments-api") == "payments-api"


async def test_what_machines_write_comes_last_in_a_diff_and_is_cut_first(
    repository: Repository, connect: Callable[..., Git]
) -> None:
    first = repository.commit("Start", checkout__app="POOL = 50\n")
    locked = repository.folder / "a" / "package-lock.json"
    vendored = repository.folder / "vendor" / "lib.js"
    for path in (locked, vendored):
        path.parent.mkdir()
        path.write_text("".join(f'"dependency{n}": "{n}"\n' for n in range(20_000)))
    second = repository.commit("Cut the pool", checkout__app="POOL = 5\n")
    diff = await connect().read_diff("checkout", first, second)
    assert "+POOL = 5" in diff.text
    assert diff.text.index("+POOL = 5") < diff.text.index('+"dependency1"')
    assert (diff.whole, set(diff.paths)) == (False, {"a/package-lock.json", "checkout/app.py", "vendor/lib.js"})
    assert "vendor/lib.js" in diff.text
    output = await connect().compare_versions(ReadDiff(service="checkout", from_version=first, to_version=second))
    assert "was cut at" in str(output.gap)


async def test_a_lock_file_alone_is_still_read(repository: Repository, connect: Callable[..., Git]) -> None:
    first = repository.commit("Start", checkout__app="1")
    (repository.folder / "uv.lock").write_text('version = "2"\n')
    second = repository.commit("Bump", checkout__app="1")
    inside = connect(paths={"checkout": ["checkout"]})
    assert '+version = "2"' in (await connect().read_diff("checkout", first, second)).text
    assert "version" not in (await inside.read_diff("checkout", first, second)).text
