"""GitHub's documents as what is used of them. Pure; a document in another form than GitHub documents is Unavailable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from agents.connecting.connector import Service
from agents.connecting.foreign_json import read_json
from agents.errors import Unavailable
from agents.language.service_names import belongs_to, names_in

M = TypeVar("M", bound=BaseModel)


class _Lax(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class GitHubRepository(_Lax):
    full_name: str
    name: str
    archived: bool = False
    fork: bool = False
    disabled: bool = False


class Deployment(_Lax):
    id: int
    sha: str
    ref: str
    task: str
    environment: str
    description: str | None = None
    payload: dict[str, Any] | str | None = None
    created_at: AwareDatetime


class DeploymentStatus(_Lax):
    state: str
    description: str = ""
    environment_url: str = ""
    log_url: str = ""
    target_url: str = ""
    created_at: AwareDatetime


class _Person(_Lax):
    name: str | None = None
    date: AwareDatetime | None = None


class _CommitText(_Lax):
    message: str
    author: _Person | None = None
    committer: _Person | None = None


class Commit(_Lax):
    sha: str
    html_url: str
    commit: _CommitText

    @property
    def subject(self) -> str:
        return self.commit.message.partition("\n")[0]

    @property
    def at(self) -> datetime | None:
        """When it came into the branch, as its committer's clock says."""
        who = self.commit.committer or self.commit.author
        return who.date.astimezone(UTC) if who and who.date else None


class PullRequest(_Lax):
    number: int
    title: str
    state: str
    html_url: str
    merged_at: AwareDatetime | None = None
    updated_at: AwareDatetime
    merge_commit_sha: str | None = None


class WorkflowRun(_Lax):
    id: int
    run_attempt: int = 1
    name: str | None = None
    head_sha: str
    head_branch: str | None = None
    event: str
    status: str | None = None
    conclusion: str | None = None
    html_url: str
    run_started_at: AwareDatetime | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class ChangedFile(_Lax):
    filename: str
    status: str
    previous_filename: str | None = None
    patch: str | None = None
    changes: int = 0


class GitHubComparison(_Lax):
    html_url: str
    status: str
    ahead_by: int
    total_commits: int
    commits: list[Commit]
    files: list[ChangedFile] = []


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A deployment that took effect, or was tried: `at` is when it did."""

    service: str
    deployment: Deployment
    at: datetime
    state: str
    link: str


def one(model: type[M], document: Any, what: str) -> M:
    """Raises Unavailable."""
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        raise Unavailable(f"GitHub answered {what} in a form that it does not document") from exc


def several(model: type[M], documents: Sequence[Any], what: str) -> list[M]:
    """Raises Unavailable."""
    try:
        return TypeAdapter(list[model]).validate_python(list(documents))  # type: ignore[valid-type] # a class at run time
    except ValidationError as exc:
        raise Unavailable(f"GitHub answered {what} in a form that it does not document") from exc


def service_of(deployment: Deployment, services: Sequence[Service]) -> str | None:
    """Whose deployment it is: as its payload says, else the one that its environment, task or description names, else
    the only service of the repository.
    """
    if not services:
        return None
    for key in ("service", "app", "application", "component"):
        if isinstance(named := payload_of(deployment).get(key), str):
            return belongs_to(named, services, "repository")
    aliases = {alias.rpartition(":")[2]: s.name for s in services for alias in s.aliases if "*" not in alias}
    told = " ".join(filter(None, (deployment.environment, deployment.task, deployment.description)))
    named_ones = names_in(told, [s.name for s in services], aliases)
    if len(named_ones) == 1:
        return named_ones[0]
    return services[0].name if len(services) == 1 else None


def services_named(deployments: Iterable[Deployment]) -> list[str]:
    """What their payloads call services."""
    named = (payload_of(d).get("service") for d in deployments)
    return list(dict.fromkeys(name for name in named if isinstance(name, str) and name))


def effect_of(statuses: Sequence[DeploymentStatus]) -> tuple[str, datetime | None]:
    """The state of a deployment and when it took effect; newest status first, as GitHub gives them.

    A later deployment makes an older one `inactive`: what it was before counts.
    """
    told = [s for s in statuses if s.state != "inactive"]
    if not told:
        return "unknown", None
    succeeded = [s for s in told if s.state == "success"]
    if succeeded:
        return "success", succeeded[-1].created_at.astimezone(UTC)
    return told[0].state, told[0].created_at.astimezone(UTC)


def as_diff(files: Sequence[ChangedFile], paths: Sequence[str] = ()) -> tuple[str, bool]:
    """The files of a comparison as a unified diff, within `paths` where they are given. False where GitHub left the
    text of one off, as it does of large and binary ones.
    """
    parts, whole = [], True
    for file in files:
        if not within(file.filename, paths):
            continue
        before = file.previous_filename or file.filename
        parts.append(f"diff --git a/{before} b/{file.filename}")
        old = "/dev/null" if file.status == "added" else f"a/{before}"
        new = "/dev/null" if file.status == "removed" else f"b/{file.filename}"
        if file.patch is None:
            whole = whole and not file.changes
            parts.append(f"({file.status}; GitHub shows no text of it)")
        else:
            parts += [f"--- {old}", f"+++ {new}", file.patch]
    return "\n".join(parts), whole


def within(path: str, folders: Sequence[str]) -> bool:
    return not folders or any(path == f or path.startswith(f"{f.rstrip('/')}/") for f in folders)


def payload_of(deployment: Deployment) -> Mapping[str, Any]:
    """What whoever made it handed over; nothing where that is no object."""
    if isinstance(deployment.payload, dict):
        return deployment.payload
    try:
        document = read_json(deployment.payload or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
