"""Code, files and settings of a service at the version that ran, from a real repository that is never checked out."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.bare_connector import BareConnector

from agents.connecting.connector import Connector, Service
from agents.connecting.connectors.git import Git, GitConfig
from agents.connecting.source_code import CodeFile, CodeSource, FilesAt, TextsRead
from agents.connecting.toolbox import Toolbox
from agents.errors import BadArguments, Unavailable
from agents.evidence.types import Change
from agents.gate.claims import Proof, Run, judge
from agents.gate.evidence import Evidence
from agents.investigation.code_tools import CodeTools
from agents.processes.evidence_pool import EvidencePool
from agents.rows import Configured, Contents, Searched, Tracked, Unread
from agents.tool import ToolOutput

SERVICES = (Service(name="orders"), Service(name="payments"))
BEFORE = {
    "services/orders/app.py": "def open_pool():\n    raise PoolExhausted('no connection left')\n",
    "services/orders/config.toml": "[database]\npool_size = 50\ntimeout_s = 2.0\nuser = 'shop'\n",
    "services/payments/config.toml": "[client]\ntimeout_s = 9.0\n",
    "vendor/pool.py": "# no connection left\n",
    "services/orders/orders.bin": "\0\1no connection left",
}
AFTER = {
    **BEFORE,
    "services/orders/config.toml": "[database]\npool_size = 5\ntimeout_s = 2.0\nretries = 3\n",
    "services/orders/fresh.py": "x = 1\n",
}


class Shop:
    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, 1_700_000_000
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        self.clock += 60
        who = {f"GIT_{a}_{b}": "a@example.com" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
        when = {f"GIT_{a}_DATE": f"{self.clock} +0000" for a in ("AUTHOR", "COMMITTER")}
        nothing = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=self.folder,
            env={**who, **when, **nothing},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def deploy(self, number: int, files: dict[str, str]) -> str:
        for path, text in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", f"Deploy {number}")
        self.git("tag", "-a", "-m", "deploy", f"deploy/orders/{number}")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


@pytest.fixture
def deployed(shop: Shop) -> tuple[str, str]:
    versions = shop.deploy(1, BEFORE), shop.deploy(2, AFTER)
    shop.deploy(3, {"services/orders/config.toml": "[database]\npool_size = 7\n"})
    shop.git("tag", "-d", "deploy/orders/3")  # committed, and deployed to nowhere
    return versions


async def call(shop: Shop, pool: EvidencePool, tool: str, *connectors: Connector, **arguments: object) -> ToolOutput:
    context = replace(BareConnector.context, services=SERVICES)
    source = Git(GitConfig(repository=shop.folder), context)
    toolbox = Toolbox(connectors=connectors or (source,), services=SERVICES)
    tools = {one.name: one for one in CodeTools(toolbox, pool).tools()}
    return await tools[tool].run(tools[tool].parse({"service": "orders", **arguments}))


async def test_lines_of_what_runs_are_found_with_file_and_number_machine_written_ones_last(
    shop: Shop, deployed: tuple[str, str], pool: EvidencePool
) -> None:
    found = await call(shop, pool, "search_code", text="NO CONNECTION")
    rows = [row for row in found.rows if isinstance(row, Contents)]
    assert [(row.path, row.number, row.version) for row in rows] == [
        ("services/orders/app.py", 2, deployed[1]),
        ("vendor/pool.py", 1, deployed[1]),
    ]
    assert rows[0].text == "    raise PoolExhausted('no connection left')"
    assert rows[0].line == "services/orders/app.py line 2: raise PoolExhausted('no connection left')"
    searched = found.rows[0]
    assert isinstance(searched, Searched)
    assert (searched.found, searched.whole, found.gap) == (2, True, None)
    assert found.facts["looked"] == [{"source": "Git", "why": ""}]


async def test_another_version_a_folder_and_nothing_found(
    shop: Shop, deployed: tuple[str, str], pool: EvidencePool
) -> None:
    old = await call(shop, pool, "search_code", text="pool_size", version=deployed[0][:8])
    assert [row.text for row in old.rows if isinstance(row, Contents)] == ["pool_size = 50"]
    by_change = await call(shop, pool, "search_code", text="pool_size", version="deploy/orders/2")
    assert [row.text for row in by_change.rows if isinstance(row, Contents)] == ["pool_size = 5"]
    elsewhere = await call(shop, pool, "search_code", text="pool_size", under="vendor/")
    assert isinstance(elsewhere.rows[0], Searched)
    assert (elsewhere.rows[0].found, elsewhere.rows[0].whole) == (0, True)
    assert elsewhere.text.startswith("nothing found: 0 lines at ")


async def test_files_that_changed_come_first_and_where_the_version_before_is_unknown_that_is_said(
    shop: Shop, deployed: tuple[str, str], pool: EvidencePool
) -> None:
    found = await call(shop, pool, "list_files")
    rows = [row for row in found.rows if isinstance(row, Tracked)]
    assert [(row.path, row.altered) for row in rows] == [
        ("services/orders/config.toml", True),
        ("services/orders/fresh.py", True),
        ("services/orders/app.py", False),
        ("services/orders/orders.bin", False),
        ("services/payments/config.toml", False),
        ("vendor/pool.py", False),
    ]
    assert rows[4].service == "payments"
    first = await call(shop, pool, "list_files", version=deployed[0], name="CONFIG")
    assert [row.path for row in first.rows if isinstance(row, Tracked)] == [
        "services/orders/config.toml",
        "services/payments/config.toml",
    ]
    assert first.gap == f"which version of orders ran before {deployed[0][:10]} is not known"
    assert isinstance(first.rows[-1], Unread)


async def test_settings_that_differ_from_the_version_before_are_rows_that_bear_claims(
    shop: Shop, deployed: tuple[str, str], pool: EvidencePool
) -> None:
    found = await call(shop, pool, "read_config")
    rows = [row for row in found.rows if isinstance(row, Configured)]
    assert [(row.key, row.before, row.value, row.kind) for row in rows] == [
        ("database.pool_size", "50", "5", "changed"),
        ("database.retries", None, "3", "added"),
        ("database.user", "shop", None, "removed"),
        ("database.timeout_s", "2.0", "2.0", "same"),
    ]
    assert rows[0].line == "services/orders/config.toml database.pool_size: 50 -> 5"
    assert {row.service for row in rows} == {"orders"}
    assert found.text.startswith(f"4 settings in 1 file at {deployed[1][:10]}; 3 differ from {deployed[0][:10]}")
    run = Run(
        evidence={
            "A1": Evidence(
                id="A1",
                tool="read_config",
                source="evidence",
                text=found.text,
                facts={},
                rows=found.rows,
                arguments={"service": "orders"},
                taken_at=BareConnector.context.now(),
            )
        },
        services=("orders", "payments"),
    )

    def status(text: str, quote: str) -> str | None:
        return judge(text, "observed", [Proof(artifact="A1", quote=quote)], run).status

    moved = "database.pool_size: 50 -> 5"
    assert status("The pool size of orders went from 50 to 5.", moved) in ("observed", "derived")
    assert status("pool_size of the database is 5 now instead of 50.", moved) in ("observed", "derived")
    assert status(f"{deployed[1][:7]} sets pool_size to 5.", moved) == "observed"
    assert status("The pool size of orders went from 5 to 50.", moved) is None
    assert status("The pool size of orders was raised to 5.", moved) in (None, "inferred")
    assert status("The pool size of orders is 500 now.", moved) is None
    assert status("The pool size of payments went from 50 to 5.", moved) is None
    assert status(f"{deployed[0][:7]} sets pool_size to 5.", moved) in (None, "inferred")
    assert status("The timeout of orders is 2 s.", "database.timeout_s: 2.0") == "observed"


async def test_a_line_of_code_is_evidence_to_the_letter(
    shop: Shop, deployed: tuple[str, str], pool: EvidencePool
) -> None:
    found = await call(shop, pool, "search_code", text="PoolExhausted")
    evidence = Evidence(
        id="A1", tool="search_code", source="evidence", text=found.text, facts={}, rows=found.rows,
        arguments={"service": "orders", "text": "PoolExhausted"}, taken_at=BareConnector.context.now(),
    )  # fmt: skip
    run = Run(evidence={"A1": evidence}, services=("orders", "payments"))
    proof = [Proof(artifact="A1", quote="raise PoolExhausted('no connection left')")]
    said = f"services/orders/app.py of orders holds PoolExhausted at {deployed[1][:7]}."
    assert judge(said, "observed", proof, run).status == "observed"
    assert judge("The code of payments holds PoolExhausted.", "observed", proof, run).status is None
    assert judge("orders at abc1234 holds PoolExhausted.", "observed", proof, run).status is None
    assert judge("orders failed 2 times.", "observed", proof, run).status is None


async def test_secrets_are_gone_before_anything_is_searched(shop: Shop, pool: EvidencePool) -> None:
    key = [
        "-----BEGIN RSA PRIVATE KEY-----",
        *["MIIEabcdabcdabcdabcdabcdabcd" * 2] * 3,
        "-----END RSA PRIVATE KEY-----",
    ]
    text = "\n".join(["a = 1", 'key = """', *key, '"""', 'password = "hunter2hunter2"', "pool = 3", ""])
    shop.deploy(1, {"config.toml": text})
    secret = await call(shop, pool, "search_code", text="hunter2")
    assert isinstance(secret.rows[0], Searched)
    assert secret.rows[0].found == 0
    found = await call(shop, pool, "search_code", text="pool")
    line = next(row for row in found.rows if isinstance(row, Contents))
    assert (line.number, line.line) == (0, "config.toml: pool = 3")
    config = await call(shop, pool, "read_config")
    assert "hunter2" not in repr(config.rows) + config.text
    assert {row.key for row in config.rows if isinstance(row, Configured)} == {"a", "key", "password", "pool"}


async def test_what_is_asked_wrongly_says_what_is_right(
    shop: Shop, deployed: tuple[str, str], pool: EvidencePool
) -> None:
    with pytest.raises(BadArguments, match="did you mean orders"):
        await call(shop, pool, "list_files", service="order")
    with pytest.raises(BadArguments, match=r"neither a commit id .* known: deploy/orders/2"):
        await call(shop, pool, "list_files", version="latest")
    with pytest.raises(BadArguments, match="no commit of this repository"):
        await call(shop, pool, "list_files", version="abcdef1234")
    with pytest.raises(BadArguments, match="which version of payments runs is not known here"):
        await call(shop, pool, "list_files", service="payments")


class Elsewhere(BareConnector):
    """Holds one version of many files, and fails where it is told to."""

    name = title = "elsewhere"

    def __init__(self, why: str = "", files: int = 50) -> None:
        self.why, self.many = why, files
        self.read: list[str] = []

    async def deployed(self, _service: str) -> Sequence[Change]:
        return ()

    async def files_at(self, _service: str, version: str) -> FilesAt:
        if self.why:
            raise Unavailable(self.why)
        files = tuple(CodeFile(path=f"f{n:03d}.py", content=str(n), size=10) for n in range(self.many))
        return FilesAt(version=version, files=files, page="https://code.example/blob/x", gaps=("a part",))

    async def files_with(self, _service: str, _at: FilesAt, _text: str) -> None:
        return None

    async def read_texts(self, _service: str, files: Sequence[CodeFile]) -> TextsRead:
        self.read += [file.path for file in files]
        return TextsRead(texts={file.path: "\n".join(["x = 1"] * 12) for file in files})


async def test_bounds_are_kept_and_named(shop: Shop, pool: EvidencePool) -> None:
    source = Elsewhere()
    assert isinstance(source, CodeSource)
    found = await call(shop, pool, "search_code", source, text="x =", version="abcdef1")
    rows = [row for row in found.rows if isinstance(row, Contents)]
    assert (len(source.read), len(rows)) == (40, 60)
    assert rows[0].link == "https://code.example/blob/x/f000.py#L1"
    for gap in ("a part", "10 further files were not searched", "420 further lines are not shown"):
        assert gap in str(found.gap)
    listed = await call(shop, pool, "list_files", Elsewhere(files=250), version="abcdef1")
    assert "50 further files are not shown" in str(listed.gap)


async def test_the_first_source_that_has_the_version_answers_and_a_failed_one_is_no_absence(
    shop: Shop, deployed: tuple[str, str], pool: EvidencePool
) -> None:
    found = await call(shop, pool, "list_files", Elsewhere(why="is down"), Elsewhere(files=1), version="abcdef1")
    assert sum(isinstance(row, Tracked) for row in found.rows) == 1
    with pytest.raises(Unavailable, match="is down"):
        await call(shop, pool, "list_files", Elsewhere(why="is down"), version=deployed[0])
    assert CodeTools(Toolbox(connectors=(), services=SERVICES), pool).tools() == []
