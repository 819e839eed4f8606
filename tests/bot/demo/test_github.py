"""The demo's GitHub, asked by our connector: deployments, comparisons, and what it refuses."""

import ipaddress
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.github import GitHub, GitHubConfig, OfService
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import BadArguments, NeedsReauthorisation
from agents.evidence.types import Window
from bot.demo.github import REPOSITORY, LocalGitHub
from store.secrets.redaction import Secret

NOW = datetime.now(UTC).replace(microsecond=0)


def _git(folder: Path, *arguments: str, at: datetime) -> None:
    who = {f"GIT_{w}_{k}": v for w in ("AUTHOR", "COMMITTER") for k, v in (("NAME", "a"), ("EMAIL", "a@b.example"))}
    when = {"GIT_AUTHOR_DATE": at.isoformat(), "GIT_COMMITTER_DATE": at.isoformat()}
    environment = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", **who, **when}
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=environment)  # noqa: S607


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[LocalGitHub]:
    _git(tmp_path, "init", "-q", at=NOW)
    for number in (1, 2):
        at = NOW - timedelta(hours=3 - number)
        folder = tmp_path / "services" / "checkout"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(f"pool = {50 // (number * number)}\n")
        _git(tmp_path, "add", ".", at=at)
        _git(tmp_path, "commit", "-q", "-m", f"release {number}", at=at)
        _git(tmp_path, "tag", "-a", f"deploy/checkout/{number}", "-m", "deploy", at=at)
    made = LocalGitHub(tmp_path)
    await made.start()
    yield made
    await made.stop()


async def test_deployments_and_diffs_are_those_of_the_checkout_and_nothing_undocumented_is_asked(
    hub: LocalGitHub,
) -> None:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))

    def connect(token: str) -> GitHub:
        context = ConnectorContext(
            services=(Service(name="checkout"),),
            outbound=outbound,
            now=lambda: NOW,
            credentials={"token": Secret(token)},
        )
        return GitHub(GitHubConfig.model_validate({"api": hub.url, "repositories": [REPOSITORY]}), context)

    source = connect(hub.token)
    assert (await source.check()).ok
    read = await source.read_changes(Window(start=NOW - timedelta(hours=24), end=NOW))
    first, second = read.changes
    assert (second.service, second.previous_version, second.at) == ("checkout", first.version, NOW - timedelta(hours=1))
    assert second.paths == ("services/checkout/config.toml",)
    diff = await source.read_diff("checkout", str(first.version), str(second.version))
    assert "-pool = 50\n+pool = 12" in diff.text
    assert diff.whole
    assert (await source.github_commits(OfService(service="checkout"))).summary == "2 commits of acme/shop"
    assert [one.name for one in (await source.discover()).services] == ["checkout"]
    at = await source.files_at("checkout", str(second.version)[:8])
    assert (at.version, [file.path for file in at.files]) == (second.version, ["services/checkout/config.toml"])
    assert (await source.read_texts("checkout", at.files)).texts == {"services/checkout/config.toml": "pool = 12\n"}
    assert hub.refused == []
    with pytest.raises(BadArguments):
        await source.read_diff("checkout", "f" * 40, str(second.version))
    with pytest.raises(NeedsReauthorisation):
        await connect("another-token-that-is-none").read_changes(Window(start=NOW - timedelta(hours=1), end=NOW))
    await source.revoke()
    assert "(401)" in (await source.check()).detail
    await outbound.close()
