"""The shop's repository: neutral, reproducible by seed, and free of the user's own git settings."""

import subprocess
from pathlib import Path

import pytest

from bot.demo.shop.edits import MISTAKES
from bot.demo.shop.plan import ROLES, plan_shop
from bot.demo.shop.repository import RepositoryError, ShopRepository


def made(folder: Path, seed: int) -> ShopRepository:
    plan = plan_shop(seed)
    repository = ShopRepository(folder / "repo", plan.names)
    repository.create(plan)
    return repository


def test_seeds_vary_names_provider_and_load() -> None:
    plans = [plan_shop(seed) for seed in range(12)]
    assert len({tuple(plan.names.values()) for plan in plans}) > 8
    assert len({plan.provider for plan in plans}) > 2
    assert all(20 < sum(plan.rates.values()) < 45 for plan in plans)
    assert plan_shop(5) == plan_shop(5)


def test_history_ends_hours_ago_and_every_service_was_deployed(tmp_path: Path) -> None:
    repository = made(tmp_path, 1)
    newest = int(repository.git("log", "-1", "--format=%ct"))
    first = int(repository.git("log", "--reverse", "--format=%ct").split()[0])
    assert newest - first > 24 * 3600
    for role in ROLES:
        assert repository.deployments(repository.names[role])
    authors = repository.git("log", "--format=%an <%ae> %cn").splitlines()
    assert set(authors) == {"Shop Team <team@shop.example> Shop Team"}


def test_deployment_tag_tells_time_and_commit(tmp_path: Path) -> None:
    repository = made(tmp_path, 2)
    name = repository.names["orders"]
    tag = repository.tag_deployment(name, repository.head())
    assert tag == f"deploy/{name}/{len(repository.deployments(name))}"
    assert repository.deployments(name)[-1] == repository.head()
    tagged, written = repository.git(
        "for-each-ref", "--format=%(taggerdate:unix) %(objecttype)", f"refs/tags/{tag}"
    ).split()
    assert written == "tag"
    assert int(tagged) > int(repository.git("log", "-1", "--format=%ct"))


def test_revert_brings_the_text_back(tmp_path: Path) -> None:
    repository = made(tmp_path, 3)
    before = repository.git("rev-parse", "HEAD^{tree}")
    repository.commit(MISTAKES[0])
    assert repository.git("rev-parse", "HEAD^{tree}") != before
    repository.revert(MISTAKES[0])
    assert repository.git("rev-parse", "HEAD^{tree}") == before


@pytest.mark.parametrize("ref", ["nowhere", "--help", "a b", "HEAD; ls", ""])
def test_unknown_or_strange_ref_is_refused(tmp_path: Path, ref: str) -> None:
    repository = made(tmp_path, 4)
    with pytest.raises(RepositoryError, match=r"is not a commit|has no commit"):
        repository.resolve(ref, repository.names["orders"])


def test_git_settings_of_the_user_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[commit]\n  gpgSign = true\n[user]\n  name = Somebody\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    repository = made(tmp_path, 5)
    signed = subprocess.run(
        ("git", "-C", str(repository.path), "log", "-1", "--format=%G? %an"),  # noqa: S607
        env={"PATH": "/usr/bin:/bin:/usr/local/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert signed.stdout == "N Shop Team\n"
