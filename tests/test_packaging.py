"""What is shipped: locks that name no index, declared imports, and a wheel that holds all it needs."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("bot", "handlers", "agents", "store")
LOCKS = ("requirements.lock", "requirements-dev.lock")


def name_of(requirement: str) -> str:
    """The normalised name of `Name[extra]>=1 ; marker`: https://packaging.python.org/en/latest/specifications/name-normalization/"""
    found = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


DECLARED = {name_of(requirement) for requirement in PROJECT["project"]["dependencies"]}
FOR_DEVELOPMENT = {name_of(requirement) for requirement in PROJECT["dependency-groups"]["dev"]}


def locked(lock: str) -> dict[str, str]:
    """The whole entry of each package, with its continuation lines."""
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    return {f"{name_of(entry)}{entry.partition('==')[2].split()[0]}": entry for entry in entries}


# Locks


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.findall(r"://|^\s*-(?:i|f|-index|-extra|-find|-trusted)", text, re.MULTILINE) == []
    assert "@" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_one_version_and_hashes(lock: str) -> None:
    for entry in locked(lock).values():
        assert re.match(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+( ; [^\\]+)? \\\n", entry), entry.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]


def test_everything_declared_is_locked_and_the_development_lock_agrees() -> None:
    run, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    names = {name_of(entry) for entry in run.values()}
    assert names >= DECLARED
    assert {"hatchling", "editables"} <= names  # the build backend, for an installation without build isolation
    assert {name_of(entry) for entry in dev.values()} >= FOR_DEVELOPMENT
    # Two entries of one name are for different versions of Python.
    assert {pin for pin, entry in dev.items() if name_of(entry) in names} == set(run)


# Imports


def imported() -> Iterator[tuple[str, Path]]:
    """Top-level names that the shipped code imports, with a file that does. The shop's services run on the standard
    library.
    """
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if ROOT / "bot" / "demo" / "shop" / "template" in path.parents:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from ((alias.name.partition(".")[0], path) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.partition(".")[0], path


def test_every_import_of_the_shipped_code_is_a_declared_dependency() -> None:
    providers = importlib.metadata.packages_distributions()
    outside = {name: path for name, path in imported() if name not in sys.stdlib_module_names and name not in PACKAGES}
    undeclared = {
        name: str(path.relative_to(ROOT))
        for name, path in outside.items()
        if not {name_of(one) for one in providers.get(name, ["?"])} & DECLARED
    }
    assert undeclared == {}


def test_the_shops_services_need_nothing_but_the_standard_library() -> None:
    template = ROOT / "bot" / "demo" / "shop" / "template"
    own = {path.stem for path in template.rglob("*.py")} | {path.name for path in template.rglob("*") if path.is_dir()}
    for path in template.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | own, path


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built as an installation builds it, without isolation and without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def sources(suffixes: tuple[str, ...]) -> set[str]:
    tracked = subprocess.run(
        ["git", "ls-files", "-z", *PACKAGES],  # noqa: S607 - whichever git made the checkout
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return {name for name in tracked if name.endswith(suffixes) and (ROOT / name).is_file()}


def test_the_wheel_holds_every_module_and_every_file_that_code_reads(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    data = (".py", ".md", ".html", ".css", ".js", ".svg", ".json", ".toml", ".yml", ".sql", ".conf")
    assert sources(data) - names == set()
    assert "bot/manifest.yml" in names
    for part in (
        "agents/investigation/prompts/investigator.md",
        "bot/demo/workspace/page/index.html",
        "bot/demo/shop/template/services/",
        "store/database/migrations/content/versions/",
        "store/database/migrations/keyring/versions/",
    ):
        assert any(name.startswith(part) for name in names), part


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    allowed = (*(f"{package}/" for package in PACKAGES), f"autoheal-{PROJECT['project']['version']}.dist-info/")
    assert [name for name in wheel.namelist() if not name.startswith(allowed)] == []
    assert [name for name in wheel.namelist() if "__pycache__" in name or name.endswith((".db", ".key", ".env"))] == []


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    version = PROJECT["project"]["version"]
    metadata = wheel.read(f"autoheal-{version}.dist-info/METADATA").decode()
    assert f"\nVersion: {version}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    entry_points = wheel.read(f"autoheal-{version}.dist-info/entry_points.txt").decode()
    assert "autoheal = bot.cli:main" in entry_points


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"\n## {PROJECT['project']['version']}" in (ROOT / "CHANGELOG.md").read_text()


# The repository


def test_the_continuous_check_is_a_program_and_runs_the_documented_commands() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert "AUTOHEAL_REQUIRE_ALL=1" in text
    readme = (ROOT / "README.md").read_text()
    for command in ("make test", "make check"):
        assert command in text
        assert command in readme
    assert "make demo" in text


def test_the_image_installs_by_hash_and_does_not_run_as_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert re.search(r"^USER (?!root|0\b)", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert '"serve"' in text


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []
