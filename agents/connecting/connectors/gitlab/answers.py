"""GitLab's documents as what is used of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from agents.connecting.connector import Service
from agents.language.service_names import names_in


class _GitLabAnswer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class GitLabProject(_GitLabAnswer):
    path_with_namespace: str
    default_branch: str | None = None
    web_url: str = ""


class _Environment(_GitLabAnswer):
    name: str


class _Deployable(_GitLabAnswer):
    name: str = ""
    web_url: str = ""
    finished_at: AwareDatetime | None = None


class GitLabDeployment(_GitLabAnswer):
    id: int
    ref: str
    sha: str
    status: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    environment: _Environment
    deployable: _Deployable | None = None

    @property
    def at(self) -> datetime:
        """When its job ended: that is when it took effect."""
        ended = self.deployable.finished_at if self.deployable else None
        return (ended or self.updated_at).astimezone(UTC)


class MergeRequest(_GitLabAnswer):
    iid: int
    title: str
    state: str
    web_url: str
    merged_at: AwareDatetime | None = None
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    source_branch: str = ""
    target_branch: str = ""

    @property
    def commit(self) -> str | None:
        """The commit that brought it, which a revert takes back."""
        return self.merge_commit_sha or self.squash_commit_sha


class Pipeline(_GitLabAnswer):
    id: int
    ref: str | None = None
    sha: str
    status: str
    source: str = ""
    created_at: AwareDatetime
    web_url: str = ""


class _OfPipeline(_GitLabAnswer):
    id: int


class GitLabJob(_GitLabAnswer):
    id: int
    name: str
    stage: str = ""
    status: str
    failure_reason: str | None = None
    allow_failure: bool = False
    retried: bool = False
    created_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    web_url: str = ""
    pipeline: _OfPipeline | None = None


class GitLabCommit(_GitLabAnswer):
    id: str
    title: str = ""
    created_at: AwareDatetime | None = None
    web_url: str = ""


class FileDiff(_GitLabAnswer):
    old_path: str
    new_path: str
    new_file: bool = False
    deleted_file: bool = False
    diff: str = ""
    too_large: bool | None = False
    collapsed: bool | None = False


class GitLabComparison(_GitLabAnswer):
    commits: tuple[GitLabCommit, ...] = ()
    diffs: tuple[FileDiff, ...] = ()
    compare_timeout: bool = False
    web_url: str | None = None


class TreeEntry(_GitLabAnswer):
    id: str
    path: str
    type: str


class Branch(_GitLabAnswer):
    commit: GitLabCommit


def whose(deployment: GitLabDeployment, services: Sequence[Service]) -> str | None:
    """The one service that its environment or its job names, else the only one of the project."""
    aliases = {alias.rpartition(":")[2]: s.name for s in services for alias in s.aliases if "*" not in alias}
    job = deployment.deployable.name if deployment.deployable else ""
    named = names_in(f"{deployment.environment.name} {job}", [s.name for s in services], aliases)
    if len(named) == 1:
        return named[0]
    return services[0].name if len(services) == 1 else None


def unified(diffs: Sequence[FileDiff], folders: Sequence[str]) -> tuple[str, bool]:
    """Within the folders. False where GitLab left the text of a file off."""
    parts, whole = [], True
    for one in diffs:
        if not lies_in(one.new_path, folders):
            continue
        parts.append(f"diff --git a/{one.old_path} b/{one.new_path}")
        if one.too_large or one.collapsed:
            whole = False
            parts.append("(GitLab shows no text of it)")
            continue
        old = "/dev/null" if one.new_file else f"a/{one.old_path}"
        new = "/dev/null" if one.deleted_file else f"b/{one.new_path}"
        parts += [f"--- {old}", f"+++ {new}", one.diff.rstrip("\n")]
    return "\n".join(parts), whole


def lies_in(path: str, folders: Sequence[str]) -> bool:
    return not folders or any(path == f or path.startswith(f"{f.rstrip('/')}/") for f in folders)
