"""GitLab: project, group and system hooks. Times come in three notations; a system hook has `event_name` instead of
`object_kind`. A signing token makes Standard Webhooks; where one is set, the plain token alone is a way around it.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from __future__ import annotations

import base64
import secrets as tokens
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from agents.webhooks import reading
from agents.webhooks.contract import Normalised, Provider, Refusal, ReportedChange, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, items, mapping, moment, text, url
from agents.webhooks.signing import FRESH_S, verify_standard, verify_token

_ZEROS: Final = "0" * 40


class GitLabProvider(Provider):
    name = "gitlab"
    title = "GitLab"
    docs_url = "https://docs.gitlab.com/user/project/integrations/webhooks/"
    setup = "In Settings, Webhooks: Signing token (it begins with whsec_); on older servers Secret token."
    settings: ClassVar = {
        "scheme": "secret_token for servers without signing tokens; by default the secret's form decides"
    }

    def new_secret(self) -> str | None:
        return "whsec_" + base64.b64encode(tokens.token_bytes(32)).decode()

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
        del certificates
        signing = [secret for secret in secrets if secret.startswith("whsec_")]
        scheme = config.get("scheme") or ("signing_token" if signing else "secret_token")
        if scheme == "secret_token":
            return verify_token(headers["X-Gitlab-Token"], secrets)
        tolerance = text(config.get("tolerance_s"))
        limit = float(tolerance) if tolerance.isdigit() else FRESH_S
        return verify_standard(raw, headers, signing, now=now, tolerance_s=limit)

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del config
        what = first(at(body, "object_kind"), at(body, "event_name"), at(body, "event_type"))
        if not what:
            return None
        if what in ("push", "tag_push") or what == "repository_update":
            return _push(what, body)
        reader = _READERS.get(what)
        found = reader(body) if reader is not None else None
        return found or _news(what, body, hook=headers["X-Gitlab-Event"])


def _repository(body: Any) -> str:
    return first(
        at(body, "project", "path_with_namespace"),
        at(body, "project", "name"),
        at(body, "repository", "name"),
        at(body, "project_name"),
    )


def _project_url(body: Any) -> str | None:
    return url(at(body, "project", "web_url"), at(body, "repository", "homepage"), at(body, "project", "homepage"))


def _author(body: Any) -> str:
    return first(
        at(body, "user", "username"), at(body, "user_username"), at(body, "user", "name"), at(body, "user_name")
    )


def _push(what: str, body: Any) -> Normalised:
    before, after = text(at(body, "before")), text(at(body, "after"))
    gone = after == _ZEROS
    sha = before if gone else first(at(body, "checkout_sha"), after)
    name = text(at(body, "ref")).removeprefix("refs/heads/").removeprefix("refs/tags/")
    commits = items(at(body, "commits"))
    last = commits[-1] if commits else {}
    verb = "deleted" if gone else "pushed"
    thing = "Tag" if what == "tag_push" else "Branch"
    home = _project_url(body)
    return Normalised(
        provider="gitlab",
        event=what,
        kind="change",
        title=f"{thing} {name} {verb} in {_repository(body)}".strip(),
        text=first(last.get("title"), last.get("message"), at(body, "message")),
        source_url=url(last.get("url")) or (f"{home}/-/commit/{sha}" if home and sha and sha != _ZEROS else home),
        key=f"gitlab:{sha or name}",
        occurred_at=moment(last.get("timestamp")),
        change=ReportedChange(
            kind="push", outcome=verb, repository=_repository(body), version=sha[:40], author=_author(body)
        ),
    )


def _issue(body: Any) -> Normalised | None:
    about = mapping(at(body, "object_attributes"))
    title = text(about.get("title"))
    if not title:
        return None
    is_over = text(about.get("state")) == "closed"
    action = text(about.get("action"))
    return Normalised(
        provider="gitlab",
        event=f"issue.{action}",
        kind="ticket",
        status="resolved" if is_over and action != "reopen" else "info",
        severity=reading.severity(about.get("severity")),
        title=title,
        text=first(about.get("description")),
        source_url=url(about.get("url")),
        key=f"gitlab:{first(about.get('id'), about.get('iid'))}",
        occurred_at=moment(
            about.get("closed_at") if is_over else None, about.get("updated_at"), about.get("created_at")
        ),
        labels=_named(body, {"project": _repository(body), "type": text(about.get("type"))}),
    )


def _named(body: Any, own: Mapping[str, str]) -> dict[str, str]:
    titles = [title for one in items(at(body, "labels")) if (title := text(one.get("title")))]
    return {name: value for name, value in {**own, "labels": ", ".join(titles)}.items() if value}


def _note(body: Any) -> Normalised | None:
    note = mapping(at(body, "object_attributes"))
    about = next(
        (one for name in ("issue", "merge_request", "commit", "snippet") if (one := mapping(at(body, name)))), {}
    )
    is_ticket = isinstance(at(body, "issue"), Mapping)
    title = first(about.get("title"), about.get("message"), note.get("note"))
    link = url(note.get("url"))
    return Normalised(
        provider="gitlab",
        event=f"note.{text(note.get('noteable_type'))}",
        kind="ticket" if is_ticket else "other",
        status="resolved" if is_ticket and text(about.get("state")) == "closed" else "info",
        severity=reading.severity(about.get("severity")),
        title=title or "A comment",
        text=first(note.get("note"), note.get("description")),
        source_url=link.partition("#")[0] if link else None,
        key=f"gitlab:{first(about.get('id'), note.get('id'))}",
        occurred_at=moment(note.get("updated_at"), note.get("created_at")),
    )


def _merge_request(body: Any) -> Normalised | None:
    about = mapping(at(body, "object_attributes"))
    title = text(about.get("title"))
    if not title:
        return None
    merged = text(about.get("state")) == "merged" or text(about.get("action")) == "merge"
    sha = first(about.get("merge_commit_sha"), at(about, "last_commit", "id"))
    return Normalised(
        provider="gitlab",
        event=f"merge_request.{text(about.get('action'))}",
        kind="change" if merged else "other",
        title=f"{title} (merge request {text(about.get('iid'))})" if about.get("iid") else title,
        text=first(about.get("description")),
        source_url=url(about.get("url")),
        key=f"gitlab:{first(about.get('id'), about.get('iid'))}",
        occurred_at=moment(about.get("merged_at"), about.get("updated_at"), about.get("created_at")),
        change=ReportedChange(
            kind="merge", outcome="merged", repository=_repository(body), version=sha, author=_author(body)
        )
        if merged
        else None,
    )


def _wiki(body: Any) -> Normalised | None:
    about = mapping(at(body, "object_attributes"))
    return Normalised(
        provider="gitlab",
        event=f"wiki_page.{text(about.get('action'))}",
        kind="other",
        title=first(about.get("title"), "A wiki page"),
        text=first(about.get("message")),
        source_url=url(about.get("url")),
        key=f"gitlab:wiki:{first(about.get('slug'), about.get('title'))}",
    )


def _pipeline(body: Any) -> Normalised | None:
    about = mapping(at(body, "object_attributes"))
    number, state = first(about.get("id")), text(about.get("status"))
    if not number:
        return None
    home, commit = _project_url(body), mapping(at(body, "commit"))
    subject = first(commit.get("title"), commit.get("message"))
    return Normalised(
        provider="gitlab",
        event=f"pipeline.{state}",
        kind="change",
        title=f"Pipeline {number} of {text(about.get('ref'))} {state}: {subject}",
        source_url=url(about.get("url")) or (f"{home}/-/pipelines/{number}" if home else None),
        key=f"gitlab:{number}",
        occurred_at=moment(about.get("finished_at"), about.get("created_at")),
        change=ReportedChange(
            kind="pipeline",
            outcome=state,
            repository=_repository(body),
            version=text(about.get("sha")),
            author=_author(body),
        ),
    )


def _job(body: Any) -> Normalised | None:
    number, state = first(at(body, "build_id")), text(at(body, "build_status"))
    if not number:
        return None
    home = _project_url(body)
    return Normalised(
        provider="gitlab",
        event=f"job.{state}",
        kind="other",
        title=f"Job {text(at(body, 'build_name'))} of {text(at(body, 'ref'))} {state}",
        text=first(at(body, "build_failure_reason")),
        environment=first(at(body, "environment", "name")) or None,
        source_url=f"{home}/-/jobs/{number}" if home else None,
        key=f"gitlab:{number}",
        occurred_at=moment(at(body, "build_finished_at"), at(body, "build_started_at"), at(body, "build_created_at")),
    )


def _deployment(body: Any) -> Normalised | None:
    number, state = first(at(body, "deployment_id")), text(at(body, "status"))
    where = first(at(body, "environment"), at(body, "environment_slug"))
    subject = first(at(body, "commit_title"), at(body, "ref"))
    return Normalised(
        provider="gitlab",
        event=f"deployment.{state}",
        kind="change",
        title=f"Deployment of {_repository(body)} to {where} {state}: {subject}",
        environment=where or None,
        source_url=url(at(body, "deployable_url"), at(body, "commit_url"), at(body, "environment_external_url")),
        key=f"gitlab:{number or at(body, 'deployable_id')}",
        occurred_at=moment(at(body, "status_changed_at")),
        change=ReportedChange(
            kind="deployment",
            outcome=state,
            repository=_repository(body),
            version=text(at(body, "short_sha")),
            author=_author(body),
        ),
    )


def _release(body: Any) -> Normalised | None:
    tag = text(at(body, "tag"))
    action = text(at(body, "action"))
    return Normalised(
        provider="gitlab",
        event=f"release.{action}",
        kind="change",
        title=f"Release {first(at(body, 'name'), tag)} of {_repository(body)}" + (f" ({tag})" if tag else ""),
        text=first(at(body, "description")),
        source_url=url(at(body, "url")),
        key=f"gitlab:{first(at(body, 'id'), tag)}",
        occurred_at=moment(at(body, "released_at"), at(body, "created_at")),
        change=ReportedChange(
            kind="release",
            outcome=action,
            repository=_repository(body),
            version=tag,
            author=first(at(body, "commit", "author", "name")),
        ),
    )


def _feature_flag(body: Any) -> Normalised | None:
    about = mapping(at(body, "object_attributes"))
    name = text(about.get("name"))
    state = "on" if about.get("active") is True else "off"
    home = _project_url(body)
    return Normalised(
        provider="gitlab",
        event="feature_flag",
        kind="change",
        title=f"Feature flag {name} turned {state} in {_repository(body)}",
        text=first(about.get("description")),
        source_url=f"{home}/-/feature_flags" if home else None,
        key=f"gitlab:flag:{first(about.get('id'), name)}",
        occurred_at=moment(about.get("updated_at"), about.get("created_at")),
        change=ReportedChange(
            kind="flag", outcome=state, repository=_repository(body), version=name, author=_author(body)
        ),
    )


def _news(what: str, body: Any, *, hook: str) -> Normalised:
    """Members, tokens, emoji, milestones, vulnerabilities, and what is newer than this."""
    about = mapping(at(body, "object_attributes"))
    named = first(
        about.get("title"), about.get("name"), at(body, "name"), at(body, "user_name"), at(body, "project_name")
    )
    return Normalised(
        provider="gitlab",
        event=what,
        known=bool(hook) or "event_name" in mapping(body),
        kind="other",
        title=f"{what.replace('_', ' ')} {named}".strip(),
        source_url=url(about.get("url"), at(body, "object_attributes", "web_url")),
        key=f"gitlab:{what}:{first(about.get('id'), at(body, 'id'), at(body, 'project_id'), named)}",
        occurred_at=moment(
            about.get("updated_at"), about.get("created_at"), at(body, "updated_at"), at(body, "created_at")
        ),
    )


_READERS: Final[Mapping[str, Callable[[Any], Normalised | None]]] = {
    "issue": _issue,
    "work_item": _issue,
    "note": _note,
    "merge_request": _merge_request,
    "wiki_page": _wiki,
    "pipeline": _pipeline,
    "build": _job,
    "job": _job,
    "deployment": _deployment,
    "release": _release,
    "feature_flag": _feature_flag,
}
PROVIDER = GitLabProvider()
