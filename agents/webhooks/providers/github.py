"""GitHub: the name of the event is only in a header. Deployments, merges, releases, pushes and workflow runs are
changes; issues are tickets; a pull request is a change once it is merged. A repository is no service.

`workflow_run` may say completed and still have the status queued; a push that deletes has no commit.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from agents.webhooks import reading
from agents.webhooks.contract import ChangeKind, Kind, Normalised, Provider, Refusal, ReportedChange, Status, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, items, mapping, moment, text, url
from agents.webhooks.signing import verify_hub

_ZEROS: Final = "0" * 40
_ENDED_ALERTS: Final = frozenset({"fixed", "dismissed", "auto_dismissed", "resolved", "closed_by_user", "closed"})


class GitHubProvider(Provider):
    name = "github"
    title = "GitHub"
    docs_url = "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"
    setup = "In Settings, Webhooks: the field Secret; content type application/json."

    def verify(
        self,
        raw: bytes,
        headers: Headers,
        *,
        secrets: Sequence[str],
        now: float,
        config: Mapping[str, Any],
        certificates: Mapping[str, bytes],
    ) -> Verified | Refusal:
        del now, config, certificates
        return verify_hub(raw, headers["X-Hub-Signature-256"], secrets)

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del config
        event = headers["X-GitHub-Event"]
        if not isinstance(body, Mapping) or not event:
            return None
        found = _READERS[event](_Event(event, body)) if event in _READERS else None
        return found or _news(_Event(event, body))


class _Event:
    """A body with what all of them share."""

    def __init__(self, name: str, body: Mapping[str, Any]) -> None:
        self.name = name
        self.body = body
        self.action = text(body.get("action"))

    @property
    def repository(self) -> str:
        return first(at(self.body, "repository", "full_name"), at(self.body, "repository", "name"))

    @property
    def home(self) -> str | None:
        return url(at(self.body, "repository", "html_url"), at(self.body, "organization", "html_url"))

    @property
    def author(self) -> str:
        return first(at(self.body, "sender", "login"), at(self.body, "pusher", "name"))

    def about(self, name: str) -> Mapping[str, Any]:
        return mapping(self.body.get(name))

    def told(self, **given: Any) -> Normalised:
        event = f"{self.name}.{self.action}" if self.action else self.name
        key = f"github:{given.pop('key')}"
        labels = {"repository": self.repository} if self.repository else {}
        return Normalised(provider="github", event=event, key=key, labels=labels, **given)

    def change(self, kind: ChangeKind, *, outcome: str = "", version: str = "", author: str = "") -> ReportedChange:
        return ReportedChange(
            kind=kind,
            outcome=outcome or self.action,
            repository=self.repository,
            version=version,
            author=author or self.author,
        )


def _issue(event: _Event) -> Normalised | None:
    """An issue or a comment on one. A pull request is an issue too; a comment on it ends nothing."""
    issue, comment = event.about("issue"), event.about("comment")
    if not issue:
        return None
    is_over = text(issue.get("state")) == "closed" and event.action != "reopened" and not issue.get("pull_request")
    when = [issue.get("closed_at")] if event.action == "closed" else []
    if comment:
        when = [comment.get("updated_at") if event.action == "edited" else comment.get("created_at")]
    return event.told(
        kind="ticket",
        status="resolved" if is_over else "info",
        title=first(issue.get("title"), "An issue"),
        text=first(comment.get("body"), issue.get("body")),
        source_url=url(issue.get("html_url")),
        key=first(issue.get("id"), issue.get("number")),
        occurred_at=moment(*when, issue.get("updated_at"), issue.get("created_at")),
    )


def _pull_request(event: _Event) -> Normalised | None:
    pull, review = event.about("pull_request"), event.about("review") or event.about("comment")
    if not pull:
        return None
    merged = pull.get("merged") is True or bool(pull.get("merged_at"))
    is_merge = merged and event.name == "pull_request" and event.action == "closed"
    by = first(at(pull, "merged_by", "login"), at(pull, "user", "login"))
    times = (review.get("submitted_at"), review.get("updated_at"), review.get("created_at")) if review else ()
    return event.told(
        kind="change" if is_merge else "other",
        title=first(pull.get("title"), "A pull request"),
        text=first(review.get("body"), pull.get("body")),
        source_url=url(pull.get("html_url")),
        key=first(pull.get("id"), pull.get("number")),
        occurred_at=moment(*times, pull.get("merged_at") if is_merge else None, pull.get("updated_at")),
        change=event.change("merge", outcome="merged", version=text(pull.get("merge_commit_sha")), author=by)
        if is_merge
        else None,
    )


def _push(event: _Event) -> Normalised:
    body = event.body
    gone = body.get("deleted") is True or text(body.get("after")) == _ZEROS
    sha = first(body.get("before") if gone else body.get("after"))
    ref = text(body.get("ref"))
    name = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    commit = event.about("head_commit")
    thing, verb = ("Tag" if ref.startswith("refs/tags/") else "Branch"), ("deleted" if gone else "pushed")
    single = len(items(body.get("commits"))) == 1
    link = url(commit.get("url") if single else None, body.get("compare"), commit.get("url")) or event.home
    return event.told(
        kind="change",
        title=f"{thing} {name} {verb} in {event.repository}",
        text=first(commit.get("message")),
        source_url=link,
        key=sha or name,
        occurred_at=moment(at(body, "repository", "pushed_at"), commit.get("timestamp")),
        change=event.change("push", outcome=verb, version=sha, author=first(at(body, "pusher", "name"))),
    )


def _reference(event: _Event) -> Normalised:
    """A branch or tag was created or deleted."""
    kind, name = text(event.body.get("ref_type")) or "reference", text(event.body.get("ref"))
    verb = "deleted" if event.name == "delete" else "created"
    tree = f"{event.home}/tree/{name}" if event.home and verb == "created" else event.home
    return event.told(
        kind="change",
        title=f"{kind.capitalize()} {name} {verb} in {event.repository}",
        source_url=tree,
        key=f"{event.repository}:{kind}:{name}",
        occurred_at=moment(at(event.body, "repository", "pushed_at"), at(event.body, "repository", "updated_at")),
        change=event.change("branch", outcome=verb, version=name),
    )


def _deployment(event: _Event) -> Normalised | None:
    deployment, status = event.about("deployment"), event.about("deployment_status")
    if not deployment:
        return None
    where = first(status.get("environment"), deployment.get("environment"))
    state = text(status.get("state")) or "created"
    sha = text(deployment.get("sha"))
    return event.told(
        kind="change",
        title=f"Deployment of {event.repository} {first(deployment.get('ref'), sha[:12])} to {where} {state}",
        text=first(status.get("description"), deployment.get("description")),
        environment=where or None,
        source_url=url(
            status.get("log_url"),
            status.get("target_url"),
            at(event.body, "workflow_run", "html_url"),
            status.get("environment_url"),
        )
        or (f"{event.home}/deployments" if event.home else None),
        key=first(deployment.get("id")),
        occurred_at=moment(
            status.get("created_at"),
            status.get("updated_at"),
            deployment.get("created_at"),
            deployment.get("updated_at"),
        ),
        change=event.change("deployment", outcome=state, version=sha, author=first(at(deployment, "creator", "login"))),
    )


def _release(event: _Event) -> Normalised | None:
    release = event.about("release")
    tag = text(release.get("tag_name"))
    if not release:
        return None
    name = first(release.get("name"))
    title = f"Release {name} ({tag})" if name and name != tag else f"Release {tag}"
    return event.told(
        kind="change",
        title=f"{title} of {event.repository} {event.action}",
        text=first(release.get("body")),
        source_url=url(release.get("html_url")),
        key=first(release.get("id"), tag),
        occurred_at=moment(release.get("published_at"), release.get("created_at")),
        change=event.change("release", version=tag, author=first(at(release, "author", "login"))),
    )


def _workflow_run(event: _Event) -> Normalised | None:
    run = event.about("workflow_run")
    if not run:
        return None
    state = first(run.get("conclusion"), run.get("status"), event.action)
    title = first(run.get("display_title"), at(run, "head_commit", "message"), run.get("name"))
    times = ("created_at",) if event.action == "requested" else ("updated_at", "run_started_at", "created_at")
    return event.told(
        kind="change",
        title=f"{first(run.get('name'), 'Workflow')} {state}: {title}",
        source_url=url(run.get("html_url")),
        key=first(run.get("id")),
        occurred_at=moment(*(run.get(name) for name in times)),
        change=event.change(
            "pipeline", outcome=state, version=text(run.get("head_sha")), author=first(at(run, "actor", "login"))
        ),
    )


def _workflow_job(event: _Event) -> Normalised | None:
    return _of_ci(event, event.about("workflow_job"))


def _check(event: _Event) -> Normalised | None:
    return _of_ci(event, event.about("check_run") or event.about("check_suite"))


def _of_ci(event: _Event, job: Mapping[str, Any]) -> Normalised | None:
    if not job:
        return None
    state = first(job.get("conclusion"), job.get("status"), event.action)
    name = first(job.get("name"), at(job, "app", "name"), job.get("workflow_name"), event.name.replace("_", " "))
    ends = (job.get("completed_at"),) if event.action == "completed" else ()
    return event.told(
        kind="other",
        title=f"{name} {state}",
        text=first(at(job, "output", "summary"), at(job, "output", "title")),
        source_url=url(job.get("html_url"), job.get("details_url")) or event.home,
        key=first(job.get("id")),
        occurred_at=moment(
            *ends,
            job.get("updated_at"),
            job.get("started_at"),
            job.get("completed_at"),
            job.get("created_at"),
        ),
    )


def _commit_status(event: _Event) -> Normalised:
    body = event.body
    return event.told(
        kind="other",
        title=f"{first(body.get('context'), 'Status')} {text(body.get('state'))}: "
        f"{first(body.get('description'), at(body, 'commit', 'commit', 'message'))}",
        source_url=url(body.get("target_url"), at(body, "commit", "html_url")),
        key=first(body.get("id"), body.get("sha")),
        occurred_at=moment(body.get("updated_at"), body.get("created_at")),
    )


def _security_alert(event: _Event) -> Normalised | None:
    """Found by GitHub in code or dependencies: an alert, though none of a running system."""
    alert = event.about("alert")
    if not alert:
        return None
    rule, advisory = mapping(alert.get("rule")), mapping(alert.get("security_advisory"))
    title = first(
        rule.get("description"),
        advisory.get("summary"),
        alert.get("secret_type_display_name"),
        alert.get("secret_type"),
        alert.get("external_identifier"),
        alert.get("affected_package_name"),
        event.name.replace("_", " "),
    )
    over = event.action in _ENDED_ALERTS or text(alert.get("state")) in _ENDED_ALERTS
    status: Status = "resolved" if over and event.action not in ("reopened", "reintroduced") else "firing"
    number = first(alert.get("number"), alert.get("id"))
    return event.told(
        kind="alert",
        status=status,
        severity=reading.severity(
            rule.get("security_severity_level"),
            advisory.get("severity"),
            at(alert, "security_vulnerability", "severity"),
            alert.get("severity"),
            rule.get("severity"),
        ),
        title=title,
        source_url=url(alert.get("html_url")),
        key=f"{event.name}:{event.repository}:{number}",
        occurred_at=moment(
            *(alert.get(name) for name in ("fixed_at", "dismissed_at", "resolved_at") if status == "resolved"),
            alert.get("updated_at"),
            alert.get("created_at"),
        ),
    )


def _package(event: _Event) -> Normalised | None:
    package = event.about("package") or event.about("registry_package")
    version = first(at(package, "package_version", "version"), at(package, "package_version", "name"))
    if not package:
        return None
    return event.told(
        kind="change",
        title=f"Package {text(package.get('name'))} {version} {event.action}",
        source_url=url(at(package, "package_version", "html_url"), package.get("html_url")),
        key=f"package:{first(package.get('id'), package.get('name'))}:{version}",
        occurred_at=moment(package.get("updated_at"), package.get("created_at")),
        change=event.change("package", version=version),
    )


def _news(event: _Event) -> Normalised:
    """Everything else: installations, members, settings of a repository, pings, discussions."""
    about: Mapping[str, Any] = {}
    for name in (event.name, *sorted(event.body)):
        value = event.body.get(name)
        if name not in ("sender", "repository", "organization", "enterprise", "installation", "changes") and isinstance(
            value, Mapping
        ):
            about = value
            break
    about = about or event.about(event.name)
    named = first(about.get("title"), about.get("name"), about.get("login"), event.body.get("zen"), event.repository)
    kind: Kind = "other"
    return event.told(
        kind=kind,
        title=f"{event.name} {event.action} {named}".replace("_", " ").strip(),
        source_url=url(about.get("html_url")) or event.home,
        key=f"{event.name}:{first(about.get('id'), event.body.get('hook_id'), named)}",
        occurred_at=moment(about.get("updated_at"), about.get("created_at")),
    )


_READERS: Final[Mapping[str, Callable[[_Event], Normalised | None]]] = {
    "issues": _issue,
    "issue_comment": _issue,
    "pull_request": _pull_request,
    "pull_request_review": _pull_request,
    "pull_request_review_comment": _pull_request,
    "pull_request_review_thread": _pull_request,
    "push": _push,
    "create": _reference,
    "delete": _reference,
    "deployment": _deployment,
    "deployment_status": _deployment,
    "release": _release,
    "workflow_run": _workflow_run,
    "workflow_job": _workflow_job,
    "check_run": _check,
    "check_suite": _check,
    "status": _commit_status,
    "code_scanning_alert": _security_alert,
    "dependabot_alert": _security_alert,
    "secret_scanning_alert": _security_alert,
    "repository_vulnerability_alert": _security_alert,
    "package": _package,
    "registry_package": _package,
}
PROVIDER = GitHubProvider()
