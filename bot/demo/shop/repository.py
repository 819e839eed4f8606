"""The shop's git repository: its making, commits, deployments as annotated tags.

Git runs with its own configuration and author, so that neither the machine's settings nor the messages say more than
the work of an ordinary team would. Each deployment is a tag `deploy/<service>/<n>` whose tagger date is its time.
"""

import os
import random
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.demo.shop.edits import HISTORY, Edit
from bot.demo.shop.plan import ROLES, Role, ShopPlan

TEMPLATE = Path(__file__).parent / "template"
REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/~^{}@-]{0,199}")
PEOPLE_AT_WORK = timedelta(hours=74)


class RepositoryError(Exception):
    """Git refused, or what is asked for does not exist. The text is a sentence for the user."""


class ShopRepository:
    def __init__(self, path: Path, names: Mapping[Role, str]) -> None:
        self.path = path
        self.names = names

    def git(self, *arguments: str, at: datetime | None = None) -> str:
        """Git's output without the last line end. Raises RepositoryError with what git said."""
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Shop Team",
            "GIT_AUTHOR_EMAIL": "team@shop.example",
            "GIT_COMMITTER_NAME": "Shop Team",
            "GIT_COMMITTER_EMAIL": "team@shop.example",
        }
        if at is not None:
            environment["GIT_AUTHOR_DATE"] = environment["GIT_COMMITTER_DATE"] = at.isoformat(timespec="seconds")
        settings = ("-c", "gc.auto=0", "-c", f"core.hooksPath={os.devnull}", "-c", "advice.detachedHead=false")
        done = subprocess.run(
            ("git", *settings, "-C", str(self.path), *arguments),  # noqa: S607 - the user's own git
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        if done.returncode != 0:
            raise RepositoryError(done.stderr.strip() or f"git {arguments[0]} failed")
        return done.stdout.removesuffix("\n")

    def create(self, plan: ShopPlan) -> None:
        """Renders the template, then commits and tags a few days of ordinary work that ended hours ago."""
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", ".")
        _render(self.path, plan)
        choose = random.Random(f"history:{plan.seed}")  # noqa: S311 - a reproducible variation
        at = datetime.now(UTC) - PEOPLE_AT_WORK
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "Start the shop", at=at)
        for role in ROLES:
            self.tag_deployment(plan.names[role], self.head(), at=at + timedelta(minutes=20))
        edits = [edit for edit in HISTORY if choose.random() < 0.8]
        choose.shuffle(edits)
        gap = timedelta(hours=70) / max(1, len(edits))
        for place, edit in enumerate(edits):
            written = at + gap * (place + choose.uniform(0.2, 0.7))
            commit = self.commit(edit, at=written)
            if choose.random() < 0.75:
                later = timedelta(minutes=choose.uniform(5, 50))
                self.tag_deployment(plan.names[edit.role], commit, at=written + later)

    def file_of(self, edit: Edit) -> Path:
        return self.path / "services" / self.names[edit.role] / edit.file

    def commit(self, edit: Edit, *, at: datetime | None = None) -> str:
        """Commits the edit on main and returns the commit's id. Raises RepositoryError when its text is not there."""
        return self._replace(edit, edit.changes, edit.message, at)

    def revert(self, edit: Edit) -> str:
        changes = tuple((after, before) for before, after in edit.changes)
        return self._replace(edit, changes, f'Revert "{edit.message}"', None)

    def _replace(self, edit: Edit, changes: tuple[tuple[str, str], ...], message: str, at: datetime | None) -> str:
        path = self.file_of(edit)
        text = path.read_text()
        for before, after in changes:
            if text.count(before) != 1:
                raise RepositoryError(
                    f"{path.name} of {self.names[edit.role]} was changed by hand where {message!r} changes it"
                )
            text = text.replace(before, after)
        path.write_text(text)
        self.git("commit", "--quiet", "-m", message, "--", str(path.relative_to(self.path)), at=at)
        return self.head()

    def commit_edits_by_hand(self, service: str) -> None:
        """The visitor's uncommitted edits become one commit; without any, nothing happens."""
        if self.git("status", "--porcelain"):
            self.git("add", "--all")
            self.git("commit", "--quiet", "-m", f"Update {service}")

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def resolve(self, ref: str, service: str) -> str:
        """The full commit id of `ref`. Raises RepositoryError when there is none, or it has no such service."""
        if not REF.fullmatch(ref):
            raise RepositoryError(f"{ref!r} is not a commit, branch or tag")
        try:
            commit = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except RepositoryError as unknown:
            raise RepositoryError(f"the repository has no commit, branch or tag {ref!r}") from unknown
        if not self.git("ls-tree", commit, "--", f"services/{service}/app.py"):
            raise RepositoryError(f"{ref!r} has no services/{service}/app.py")
        return commit

    def deployments(self, service: str) -> list[str]:
        """The commits deployed so far, oldest first."""
        listed = self.git("for-each-ref", "--sort=v:refname", "--format=%(*objectname)", f"refs/tags/deploy/{service}/")
        return listed.splitlines()

    def tag_deployment(self, service: str, commit: str, *, at: datetime | None = None) -> str:
        number = len(self.deployments(service)) + 1
        tag = f"deploy/{service}/{number}"
        self.git("tag", "--annotate", "-m", f"Deploy {service}", tag, commit, at=at)
        return tag

    def check_out(self, commit: str, folder: Path) -> None:
        """A worktree of its own at `commit`; an existing one is used again."""
        if not (folder / "services").is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            self.git("worktree", "add", "--force", "--detach", "--quiet", str(folder), commit)


def _render(target: Path, plan: ShopPlan) -> None:
    words = {f"__{role.upper()}__": name for role, name in plan.names.items()} | {"__PROVIDER__": plan.provider}
    for source in sorted(TEMPLATE.rglob("*")):
        if not source.is_file() or source.suffix == ".pyc":
            continue
        parts = list(source.relative_to(TEMPLATE).parts)
        if parts[0] == "services":
            parts[1] = next(name for role, name in plan.names.items() if role == parts[1])
        text = source.read_text()
        for word, value in words.items():
            text = text.replace(word, value)
        destination = target.joinpath(*parts)
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_text(text)
