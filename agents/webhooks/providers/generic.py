"""Any JSON: which field holds what is said in the webhook's settings, as paths with dots; what is not said is looked
for under the names that such messages usually have.

`map.title = "data.incident.name"` names a path, `map.severity_words = "sev-a:critical,sev-b:warning"` translates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, cast, get_args

from agents.language.alerts import read_alert
from agents.webhooks import reading
from agents.webhooks.alert_groups import read_group
from agents.webhooks.contract import (
    ChangeKind,
    Kind,
    Normalised,
    Provider,
    Refusal,
    ReportedChange,
    Severity,
    Status,
    Verified,
)
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, labels, mapping, moment, tags, text, url
from agents.webhooks.signing import FRESH_S, sent_secret, usable, verify_hex, verify_standard, verify_token
from agents.webhooks.unknown import digest

_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "title": ("title", "alertname", "alert_name", "summary", "subject", "name", "message", "text"),
    "text": ("description", "details", "message", "body", "text", "summary"),
    "status": ("status", "state", "alert_status", "action"),
    "severity": ("severity", "priority", "level", "urgency", "sev"),
    "service": ("service", "service_name", "serviceName", "app", "application", "component"),
    "environment": ("environment", "env", "stage"),
    "source_url": ("url", "link", "source_url", "html_url", "web_url", "permalink", "client_url"),
    "runbook_url": ("runbook_url", "runbook", "runbookUrl"),
    "key": ("dedupe_key", "dedup_key", "fingerprint", "incident_key", "alert_id", "id", "key", "uid"),
    "occurred_at": ("occurred_at", "timestamp", "time", "date", "created_at", "createdAt", "started_at", "startsAt"),
    "kind": ("kind",),
    "version": ("version", "revision", "sha", "commit", "tag"),
    "repository": ("repository", "repo"),
    "author": ("author", "user", "deployer"),
}
_INSIDE: Final = ("alert", "incident", "event", "data", "payload", "body", "detail")
_NO_STATE: Final = frozenset({"created", "create", "update", "updated", "new"})


class GenericProvider(Provider):
    name = "generic"
    title = "Any JSON"
    docs_url = "https://www.standardwebhooks.com"
    setup = (
        "Send it as Authorization: Bearer <secret>, or sign: a secret that begins with whsec_ makes Standard Webhooks; "
        "with signature_header set, that header holds the hexadecimal HMAC-SHA256 of the body."
    )
    settings: ClassVar = {
        **{f"map.{field}": f"the path of the {field.replace('_', ' ')}, such as data.{field}" for field in _NAMES},
        "map.severity_words": "the sender's words for severities, such as sev-a:critical,sev-b:warning",
        "map.status_words": "the sender's words for states, such as raised:firing,gone:resolved",
        "kind": "alert, change or other, where the body does not say",
        "change": "which kind of change: deployment, merge, release, flag, push, pipeline, branch or package",
        "header": "the header of the secret, where it is not Authorization",
        "signature_header": "the header of an HMAC-SHA256 of the body",
    }

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
        if any(secret.startswith("whsec_") for secret in usable(secrets)):
            return verify_standard(raw, headers, secrets, now=now, tolerance_s=FRESH_S)
        header = text(config.get("signature_header"))
        if not header:
            return verify_token(sent_secret(headers, text(config.get("header"))), secrets)
        if not usable(secrets):
            return Refusal("no_secret")
        if not headers[header]:
            return Refusal("no_signature")
        sent = headers[header].removeprefix("sha256=")
        return Verified(raw) if verify_hex(raw, [sent], secrets) else Refusal("wrong_signature")

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del headers
        if not any(name.startswith("map.") for name in config) and (found := read_group(self.name, body)):
            return found
        title = _told(body, "title", config)
        if not title:
            return None
        named = labels(*(_inside(body, name) for name in ("labels", "annotations", "tags", "attributes")))
        named |= tags(_inside(body, "tags")) if isinstance(_inside(body, "tags"), list | str) else {}
        kind = _kind(body, config)
        link = url(_told(body, "source_url", config))
        return Normalised(
            provider=self.name,
            event=kind,
            kind=kind,
            status=_status(body, title, config) if kind == "alert" else "info",
            severity=_severity(body, named, config),
            title=title,
            text=_told(body, "text", config),
            service=_told(body, "service", config) or reading.service(named),
            environment=_told(body, "environment", config) or reading.environment(named),
            source_url=link,
            runbook_url=url(_told(body, "runbook_url", config), named.get("runbook_url")),
            key=f"{self.name}:{_told(body, 'key', config) or digest(read_alert(title).name)}",
            occurred_at=moment(*_values(body, "occurred_at", config)),
            labels=named,
            change=_change(body, config) if kind == "change" else None,
        )


def _values(body: Any, field: str, config: Mapping[str, Any]) -> Iterable[Any]:
    """What may be meant by a field: at its path where one is set, else under its usual names, outside then inside."""
    if path := text(config.get(f"map.{field}")):
        yield at(body, *(int(step) if step.isdigit() else step for step in path.removeprefix("$.").split(".")))
        return
    for name in _NAMES[field]:
        yield _inside(body, name)


def _inside(body: Any, name: str) -> Any:
    own = mapping(body)
    if own.get(name) is not None:
        return own[name]
    for inner in _INSIDE:
        if (found := at(own, inner, name)) is not None:
            return found
    return None


def _told(body: Any, field: str, config: Mapping[str, Any]) -> str:
    return first(*(_worded(value) for value in _values(body, field, config)))


def _worded(value: Any) -> Any:
    """An object often has its name in it."""
    return first(value.get("name"), value.get("summary"), value.get("title")) if isinstance(value, Mapping) else value


def _translated(config: Mapping[str, Any], field: str, word: str) -> str:
    pairs = (one.partition(":") for one in text(config.get(f"map.{field}_words")).split(","))
    words = {left.strip().lower(): right.strip() for left, _, right in pairs}
    return words.get(word.lower(), word)


def _kind(body: Any, config: Mapping[str, Any]) -> Kind:
    told = (_told(body, "kind", config), text(config.get("kind")))
    for known in get_args(Kind):
        if known in told:
            return cast("Kind", known)
    return "change" if text(config.get("change")) else "alert"


def _status(body: Any, title: str, config: Mapping[str, Any]) -> Status:
    for value in _values(body, "status", config):
        word = text(_worded(value))
        if word.lower() not in _NO_STATE and (found := reading.status(_translated(config, "status", word))) is not None:
            return found
    kind = read_alert(title).kind
    return kind if kind in ("resolved", "acknowledged") else "firing"


def _severity(body: Any, named: Mapping[str, str], config: Mapping[str, Any]) -> Severity:
    words = [_translated(config, "severity", text(_worded(value))) for value in _values(body, "severity", config)]
    return reading.severity(*words, named.get("severity"), named.get("priority"))


def _change(body: Any, config: Mapping[str, Any]) -> ReportedChange:
    kind = text(config.get("change"))
    return ReportedChange(
        kind=cast("ChangeKind", kind) if kind in get_args(ChangeKind) else "deployment",
        outcome=_told(body, "status", config),
        repository=_told(body, "repository", config),
        version=_told(body, "version", config),
        author=_told(body, "author", config),
    )


PROVIDER = GenericProvider()
