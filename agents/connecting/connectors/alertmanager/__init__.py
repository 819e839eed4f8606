"""Reads Alertmanager: which alerts of the declared services are active, and what keeps some of them quiet. Silences one
alert at a time where a person approved it, and takes that back.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml -- the same API is spoken by Mimir's and, below
`/api/alertmanager/grafana`, Grafana's. It has no pages: alerts are asked for by the labels of the services in question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import re2
from pydantic import Field

from agents.connecting.active_alerts import ActiveAlert, AlertsRead, Silence
from agents.connecting.connector import (
    ActionResult,
    Check,
    Connector,
    ConnectorContext,
    TargetState,
)
from agents.connecting.connectors.alertmanager.answers import (
    OWN,
    GivenAlert,
    GivenSilence,
    Matcher,
    equal,
    first_of,
    posted_matchers,
    quoted,
    read_list,
)
from agents.connecting.connectors.alertmanager.settings import FORM, AlertmanagerConfig
from agents.connecting.fields import Scope
from agents.connecting.outbound import Answer
from agents.connecting.promql import matching
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted, Unavailable
from agents.language.service_names import belongs_to
from agents.rows import Searched, Silenced
from agents.tool import Arguments, ToolOutput, tool

_NAMES_AT_ONCE: Final = 30  # in one question: a proxy refuses long addresses
_SHOWN: Final = 50
_LONGEST_WORDS: Final = 300
_MOST_BYTES: Final = 16_000_000
_SILENCE, _EXPIRE = "silence_alert", "expire_silence"


class ListSilences(Arguments):
    service: str | None = Field(default=None, description="A declared service; all of them when left out.")


class Alertmanager(Connector):
    name = "alertmanager"
    title = "Alertmanager"
    config_model = AlertmanagerConfig
    names_are = "service"
    about = "Active alerts and silences, of Prometheus' Alertmanager or another one with the same API."
    docs_url = "https://prometheus.io/docs/alerting/latest/management_api/"
    form = FORM
    scopes = (
        Scope(name="GET:/api/v2/alerts,/api/v2/silences", without="Active alerts and silences are not seen."),
        Scope(
            name="POST:/api/v2/silences,DELETE:/api/v2/silence",
            without="No alert can be silenced; everything else works.",
        ),
    )
    instructions = (
        "An alert says that a rule holds, not why. The rule of a silenced or inhibited one holds too: that nobody was "
        "paged for a service is no proof that it was well."
    )
    leaves_behind = (
        "Silences that were made end at their time. A token stays valid at its proxy until it is deleted there."
    )

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        self._base = str(config.url).rstrip("/")

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    async def check(self) -> Check:
        try:
            status = await self._get("status")
            read = await self.read_alerts()
            await self._silences()
        except AgentError as exc:
            where = "the address, its prefix" if self.context.label else "connectors.alertmanager.url"
            return Check(ok=False, detail=str(exc), next_action=f"Correct {where} or the token, and test again.")
        version = status.get("versionInfo", {}).get("version", "") if isinstance(status, dict) else ""
        seen = f"{counted(len(read.alerts), 'active alert')} of {counted(len(self.context.names), 'service')}"
        return Check(
            ok=True,
            detail=f"Alertmanager {version or 'of unknown version'}, {seen}",
            lacks=read.gaps,
            has_data=bool(read.alerts) or None,  # that nothing fires says nothing of the connection
        )

    async def read_alerts(self, services: Sequence[str] | None = None) -> AlertsRead:
        """Active alerts whose labels name the services. Raises an AgentError when it cannot be asked at all."""
        wanted = set(self.context.names if services is None else services) & set(self.context.names)
        found: dict[str, ActiveAlert] = {}
        unread = 0
        for label in self.config.service_labels:
            for pattern in self._patterns(label, wanted):
                given, broken = read_list(
                    GivenAlert, await self._get("alerts", self._filters(f"{label}=~{quoted(pattern)}"))
                )
                unread += broken
                for alert in await self._alerts(given):
                    if alert.service in wanted:
                        found.setdefault(alert.key, alert)
        ordered = sorted(found.values(), key=lambda one: (one.state != "firing", one.since, one.key))
        gaps = (f"{counted(unread, 'alert')} of {self.title} could not be read",) if unread else ()
        return AlertsRead(alerts=tuple(ordered), gaps=gaps)

    @tool()
    async def list_silences(self, arguments: ListSilences) -> ToolOutput:
        """Silences of Alertmanager that are active or about to be, with what they match, until when, and why. One that
        names another service than the declared ones is not shown.
        """
        if arguments.service is not None:
            self.context.require_declared([arguments.service], key="service")
        given, broken = await self._silences()
        about = [(self._services_of(one), one) for one in given]
        chosen = [
            (services, one)
            for services, one in about
            if services is None or (services if arguments.service is None else arguments.service in services)
        ]
        others = sum(1 for services, _ in about if services is not None and not services)
        rows = [
            self._row(services, one)
            for (services, _), one in zip(chosen, await self._shown([one for _, one in chosen]), strict=True)
        ]
        gaps = [f"not shown: {counted(others, 'silence')} of no declared service"] if others else []
        gaps += [f"{counted(broken, 'silence')} could not be read"] if broken else []
        gaps += [f"{len(rows) - _SHOWN} further silences are not shown; name a service"] if len(rows) > _SHOWN else []
        wanted = {"service": arguments.service} if arguments.service else {}
        searched = Searched(what="silences", found=len(rows), wanted=wanted, whole=not gaps)
        if not rows:
            searched = replace(searched, line="nothing found: no silence of these services is active or pending")
        return ToolOutput(
            text="\n".join(row.line for row in rows[:_SHOWN]) or searched.line,
            rows=(searched, *rows[:_SHOWN]),
            summary=counted(len(rows), "silence"),
            gap="; ".join(gaps) or None,
        )

    # Silencing, and its end

    def can(self, action: str, service: str) -> bool:
        return action in (_SILENCE, _EXPIRE) and service in self.context.names

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The request, with the times as they will be reckoned when it is sent."""
        if action == _EXPIRE:
            return ("DELETE", f"{self._base}/api/v2/silence/{parameters['silence']}")
        body = self._body(parameters, starts_at="when it is applied", ends_at=f"{parameters['minutes']} min later")
        return ("POST", f"{self._base}/api/v2/silences", json.dumps(body))

    def silence_parameters(self, alert: ActiveAlert, *, minutes: int, comment: str) -> Mapping[str, str]:
        return {
            "service": alert.service,
            "alert": alert.key,
            "name": alert.name,
            "labels": json.dumps(dict(alert.labels), sort_keys=True),
            "minutes": str(minutes),
            "comment": comment,
        }

    async def read_target(self, service: str) -> TargetState:
        read = await self.read_alerts([service])
        firing = sum(1 for one in read.alerts if one.state == "firing")
        return TargetState(
            service=service,
            version="",
            previous_version=None,
            state=f"{counted(firing, 'alert')} firing, {len(read.alerts) - firing} kept quiet",
            instances=0,
            started_at=None,
            read_at=self.context.now(),
        )

    async def own_silence(self, labels: Mapping[str, str]) -> Silence | None:
        given, _ = await self._silences([one for one in equal(labels) if one.startswith("alertname=")])
        own = (one for one in given if one.created_by == OWN and one.status.state == "active")
        same = next((one for one in own if one.is_exactly(labels)), None)
        return None if same is None else self._silence((await self._shown([same]))[0])

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Silences an alert that is active with exactly these labels, unless that was done; or ends that silence."""
        del idempotency_key  # the API knows none: what is there is looked at first
        if not self.can(action, parameters["service"]):
            raise NotPermitted(f"{self.title} cannot do {action} to {parameters['service']}")
        labels = json.loads(parameters["labels"])
        own = await self.own_silence(labels)
        if action == _EXPIRE:
            return await self._expire(own, parameters["silence"])
        if own is not None:
            return ActionResult(ok=True, detail=f"silence {own.key} is there already, until {own.ends_at:%H:%M} UTC")
        given, _ = read_list(GivenAlert, await self._get("alerts", self._filters(*equal(labels))))
        if not any(one.labels == labels for one in given):
            return ActionResult(ok=False, detail="the alert is not active any more; nothing was silenced")
        now = self.context.now()
        ends_at = now + timedelta(minutes=int(parameters["minutes"]))
        body = self._body(parameters, starts_at=now.isoformat(), ends_at=ends_at.isoformat())
        answer = (await self._request("POST", "silences", content=json.dumps(body).encode())).json()
        made = answer.get("silenceID") if isinstance(answer, dict) else None
        if not made:
            raise Unavailable("Alertmanager did not say which silence it made")
        return ActionResult(ok=True, detail=f"silence {made} until {ends_at:%H:%M} UTC")

    async def _expire(self, own: Silence | None, silence: str) -> ActionResult:
        if own is None:
            return ActionResult(ok=True, detail="the silence has ended already")
        if own.key != silence:
            return ActionResult(ok=False, detail=f"silence {own.key} took its place; nothing was ended")
        answer = await self._request("DELETE", f"silence/{quote(silence, safe='')}", accept=frozenset({404}))
        return ActionResult(
            ok=True, detail="the silence has ended" if answer.status != 404 else "the silence has ended already"
        )

    def _body(self, parameters: Mapping[str, str], *, starts_at: str, ends_at: str) -> dict[str, Any]:
        return {
            "matchers": posted_matchers(json.loads(parameters["labels"])),
            "startsAt": starts_at,
            "endsAt": ends_at,
            "createdBy": OWN,
            "comment": parameters["comment"],
        }

    # Reading

    def _patterns(self, label: str, services: set[str]) -> list[str]:
        """The services' names under a label, as regular expressions, each of at most so many names."""
        names = [
            matching(name)
            for one in self.context.services
            if one.name in services
            for name in dict.fromkeys(one.names_for(label))
        ]
        return ["|".join(names[at : at + _NAMES_AT_ONCE]) for at in range(0, len(names), _NAMES_AT_ONCE)]

    def _filters(self, *matchers: str) -> dict[str, list[str]]:
        return {"filter": [*matchers, *equal(self.config.only)]}

    async def _alerts(self, given: Sequence[GivenAlert]) -> list[ActiveAlert]:
        """Those that are of a declared service, cleaned."""
        ours = [(service, one) for one in given if (service := self._service(one.labels))]
        labels = await self.context.clean_rows([one.labels for _, one in ours])
        words = await self.context.clean_rows([one.annotations for _, one in ours])
        return [
            ActiveAlert(
                key=one.fingerprint,
                service=service,
                name=cleaned.get("alertname", ""),
                state=one.status.word,
                since=one.starts_at,
                severity=cleaned.get("severity", ""),
                summary=first_of(said, ("summary", "description", "message"))[:_LONGEST_WORDS],
                labels=cleaned,
                silenced_by=one.status.silenced_by,
                inhibited_by=one.status.inhibited_by,
                is_whole=cleaned == one.labels,
                link=self._page(equal(cleaned)),
            )
            for (service, one), cleaned, said in zip(ours, labels, words, strict=True)
        ]

    def _service(self, labels: Mapping[str, str]) -> str:
        """The declared service that an alert's labels name; "" for none."""
        for name in self.config.service_labels:
            if name in labels:
                return belongs_to(labels[name], self.context.services, name) or ""
        return ""

    async def _silences(self, matchers: Sequence[str] = ()) -> tuple[list[GivenSilence], int]:
        """Those that have not ended, soonest end first; and how many could not be read."""
        params: dict[str, str | list[str]] = {"expired": "false"}
        if matchers:
            params["filter"] = list(matchers)
        given, broken = read_list(GivenSilence, await self._get("silences", params))
        return sorted((one for one in given if one.status.state != "expired"), key=lambda one: one.ends_at), broken

    def _services_of(self, silence: GivenSilence) -> frozenset[str] | None:
        """The declared services that it can be about; None where its matchers name no service at all."""
        told = [one for one in silence.matchers if one.name in self.config.service_labels]
        if not told:
            return None
        return frozenset(
            one.name
            for one in self.context.services
            if all(any(_fits(matcher, name) for name in one.names_for(matcher.name)) for matcher in told)
        )

    async def _shown(self, given: Sequence[GivenSilence]) -> list[GivenSilence]:
        """The same, cleaned."""
        rows = await self.context.clean_rows(
            [
                {"by": one.created_by, "comment": one.comment, **{str(n): m.value for n, m in enumerate(one.matchers)}}
                for one in given
            ]
        )
        return [
            one.model_copy(
                update={
                    "created_by": row["by"],
                    "comment": row["comment"],
                    "matchers": tuple(m.model_copy(update={"value": row[str(n)]}) for n, m in enumerate(one.matchers)),
                }
            )
            for one, row in zip(given, rows, strict=True)
        ]

    def _silence(self, one: GivenSilence) -> Silence:
        return Silence(
            key=one.id,
            matchers=tuple(str(matcher) for matcher in one.matchers),
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            by=one.created_by,
            comment=one.comment[:_LONGEST_WORDS],
            is_own=one.created_by == OWN,
            link=f"{self._base}/#/silences/{one.id}",
        )

    def _row(self, services: frozenset[str] | None, given: GivenSilence) -> Silenced:
        one = self._silence(given)
        begins = f"from {one.starts_at:%Y-%m-%d %H:%M:%S} " if given.status.state == "pending" else ""
        comment = " ".join(one.comment.split())
        return Silenced(
            service=next(iter(services)) if services is not None and len(services) == 1 else "",
            silence=one.key,
            matchers=one.matchers,
            since=one.starts_at,
            until=one.ends_at,
            by=one.by,
            comment=comment,
            line=f"{given.status.state} {begins}until {one.ends_at:%Y-%m-%d %H:%M:%S} UTC: "
            f"{{{', '.join(one.matchers)}}} {f'({comment}) ' if comment else ''}[{one.key}]",
            link=one.link,
        )

    def _page(self, matchers: Sequence[str]) -> str:
        shown = quote(f"{{{','.join(matchers)}}}", safe="")
        return f"{self._base}/#/alerts?silenced=true&inhibited=true&muted=true&active=true&filter={shown}"

    async def _get(self, path: str, params: Mapping[str, str | list[str]] | None = None) -> Any:
        return (await self._request("GET", path, params=params)).json()

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | list[str]] | None = None,
        content: bytes | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """A refused question becomes BadArguments with the server's own words, a page that is not there a wrong URL."""
        answer = await self.context.outbound.request(
            method,
            f"{self._base}/api/v2/{path}",
            params=params,
            content=content,
            headers={
                **self.config.headers,
                **self.context.authorization(),
                **({"content-type": "application/json"} if content is not None else {}),
            },
            max_bytes=_MOST_BYTES,
            accept={400, 404, 405, 422, *accept},
        )
        if answer.status in (400, 422):
            said = await self.context.clean(answer.text())
            raise BadArguments(f"Alertmanager refused it: {said.strip()[:_LONGEST_WORDS]}")
        if answer.status in (404, 405) and answer.status not in accept:
            raise Unavailable("there is no Alertmanager API v2 at this address; is the URL right, with its prefix?")
        return answer


def _fits(matcher: Matcher, value: str) -> bool:
    """Whether a service's name, or pattern of it, can pass a matcher."""
    if not matcher.is_regex:
        return (matcher.value == value) == matcher.is_equal
    try:
        return (re2.fullmatch(matcher.value, value) is not None) == matcher.is_equal
    except re2.error:
        return True  # rather shown than hidden


CONNECTOR = Alertmanager
