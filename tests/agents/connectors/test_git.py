import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from agents.connector import ChangeSource, ConnectorContext
from agents.connectors.git import CONNECTOR, FileAt, Git, GitConfig, ListDeployments, ReadDiff, ShowCommit
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

    def git(self, *arguments: str) -> str:
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
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=environment, capture_output=True, check=True)  # noqa: S607
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
    assert (await git.read_changes(Window(start=new.at, end=new.at))).changes == [new]
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
