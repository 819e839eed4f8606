"""Reads Grafana: alert rules, annotations of deployments, dashboards for links, and what its proxy leads to where the
form allows it.

https://grafana.com/docs/grafana/latest/developers/http_api/ -- what lies behind it is read by the connectors that read
it natively (`behind`): Prometheus or Mimir, Loki, Tempo, and Grafana's own Alertmanager. Each stands among the tenant's
sources as if it were connected by itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from agents.connecting.certificates import own_way_out
from agents.connecting.connector import (
    ChangesRead,
    Check,
    Connector,
    ConnectorContext,
    Diff,
    Discovered,
    Discovers,
    Discovery,
)
from agents.connecting.connectors.grafana.behind import read_through
from agents.connecting.connectors.grafana.client import (
    GivenAnnotation,
    GivenDashboard,
    GivenDatasource,
    GivenRule,
    GrafanaClient,
    several,
)
from agents.connecting.connectors.grafana.settings import (
    FORM,
    SCOPES,
    DashboardsOfService,
    GrafanaConfig,
    RulesOfService,
)
from agents.english import counted
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, Unavailable
from agents.evidence.types import Change, Window
from agents.language.service_names import belongs_to, names_in
from agents.rows import Row, Searched, State
from agents.tool import ToolOutput, tool

_MOST_ANNOTATIONS: Final = 500
_SHOWN: Final = 40
_LONGEST_WORDS: Final = 300
_VERSION: Final = re.compile(r"(?:^|[\s:=@])(v?\d+\.\d+(?:\.\d+)?[\w.-]*|[0-9a-f]{7,40})(?=$|[\s,;)])")
_HOSTED: Final = re.compile(r"grafana-(?:amazon|azure)prometheus-datasource")
_READABLE: Final[Mapping[str, str]] = {"prometheus": "metrics", "loki": "logs", "tempo": "traces"}
"""What a type of data source is read as. Mimir's is the one of Prometheus."""


class Grafana(Connector):
    name = "grafana"
    title = "Grafana"
    config_model = GrafanaConfig
    names_are = "service"
    about = "Alert rules, annotations and dashboards, and the Prometheus, Mimir, Loki and Tempo behind it."
    docs_url = "https://grafana.com/docs/grafana/latest/developers/http_api/"
    form = FORM
    scopes = SCOPES
    instructions = (
        "grafana_rules tells which alert rules of a service hold now and what they compare; grafana_dashboards gives "
        "pages to link and says nothing of what is on them. An annotation is what somebody wrote at a time they chose."
    )
    leaves_behind = "The service account's token stays valid: delete it in Grafana."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        if "token" not in context.credentials:
            raise BadArguments("connectors.grafana: give the token of a service account")
        twice = [*config.metrics, *config.logs, *config.traces]
        if len(set(twice)) < len(twice):
            raise BadArguments("a data source stands twice among metrics, logs and traces")
        self._own = own_way_out(context, config.certificate_authority)
        way = context if self._own is None else replace(context, outbound=self._own)
        self._client = GrafanaClient(str(config.url), way)
        self._behind = read_through(config, way, self.key)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    def behind(self) -> Sequence[Connector]:
        return tuple(connector for _, connector in self._behind.values())

    async def close(self) -> None:
        for connector in self.behind():
            await connector.close()
        if self._own is not None:
            await self._own.close()

    async def check(self) -> Check:
        """The token, its permissions, and each data source: what it is and whether Grafana reaches it."""
        try:
            health, org = await asyncio.gather(
                self._client.get("health", what="health page", retries=0),
                self._client.get("org", what="organisation", retries=0),
            )
            lacks, known = await self._permissions(), await self._known()
        except AgentError as exc:
            return Check(ok=False, detail=str(exc), next_action="Correct the address or the token, and test again.")
        version = health.get("version", "") if isinstance(health, dict) else ""
        named = org.get("name", "") if isinstance(org, dict) else ""
        (named,) = await self.context.clean_words([str(named)])
        chosen = [(uid, kind) for uid, (kind, _) in self._behind.items() if uid]
        problems = [one for one in await asyncio.gather(*(self._problem(*each) for each in chosen)) if one]
        detail = f"Grafana {version} answers for {named or 'its organisation'}"
        detail += f", {counted(len(chosen), 'data source')} may be read"
        others = [one for one in known or () if one.type in _READABLE and one.uid not in self._behind]
        if others:
            offered = await self.context.clean_words([one.name for one in others[:6]])
            told = [f"{name} ({_READABLE[o.type]}, uid {o.uid})" for name, o in zip(offered, others, strict=False)]
            detail += f"; not named in the form, so not read: {', '.join(told)}"
        if problems or lacks:
            return Check(
                ok=False,
                detail="; ".join([detail, *problems]),
                next_action="Give the service account what it lacks, or correct the data sources.",
                answers=True,
                lacks=(*lacks, *problems),
            )
        return Check(ok=True, detail=detail)

    async def discover(self) -> Discovery:
        """What the data sources behind it know, under the names that they have there."""
        found: list[Discovered] = []
        gaps: list[str] = []
        for connector in self.behind():
            if isinstance(connector, Discovers):
                try:
                    told = await connector.discover()
                except AgentError as exc:
                    gaps.append(f"{connector.title} could not list its services: {exc}")
                    continue
                found += [replace(o, aliases=(*o.aliases, f"{connector.names_are}:{o.name}")) for o in told.services]
                gaps += told.gaps
        merged: dict[str, Discovered] = {}
        for one in found:
            before = merged.get(one.name, one)
            merged[one.name] = replace(one, aliases=tuple(dict.fromkeys((*before.aliases, *one.aliases))))
        return Discovery(services=tuple(merged.values()), gaps=tuple(gaps))

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Annotations with a tag of deployments that name one service, oldest first."""
        wanted = set(self.context.names if services is None else services)
        document = await self._client.get(
            "annotations",
            {
                "from": str(round(window.start.timestamp() * 1_000)),
                "to": str(round(window.end.timestamp() * 1_000)),
                "type": "annotation",
                "tags": list(self.config.deployment_tags),
                "matchAny": "true",
                "limit": str(_MOST_ANNOTATIONS),
            },
            what="annotations",
        )
        given, broken = several(GivenAnnotation, document, "annotations")
        texts = await self.context.clean_words([" ".join(one.text.split()) for one in given])
        tags = [await self.context.clean_words(one.tags) for one in given]
        changes = [self._change(*each) for each in zip(given, texts, tags, strict=True)]
        nameless = sum(1 for one in changes if one is None)
        kept = [one for one in changes if one is not None and one.service in wanted]
        gaps = [f"Grafana: {counted(nameless, 'annotation')} of deployments named no declared service"] * bool(nameless)
        gaps += [f"Grafana: {counted(broken, 'annotation')} could not be read"] if broken else []
        if len(given) + broken >= _MOST_ANNOTATIONS:
            gaps.append(f"Grafana: only the newest {_MOST_ANNOTATIONS} annotations were read")
        return ChangesRead(changes=tuple(sorted(kept, key=lambda one: one.at)), gaps=tuple(gaps))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        raise BadArguments(
            f"Grafana has no diff of {service} {from_version[:12]}..{to_version[:12]}: connect its repository"
        )

    @tool()
    async def grafana_rules(self, arguments: RulesOfService) -> ToolOutput:
        """Grafana's alert rules of a service, firing ones first: state, whether the rule can be evaluated, and what it
        compares. What is active of them, and silenced, tells active_alerts.
        """
        self.context.require_declared([arguments.service], key="service")
        document = await self._client.get("prometheus/grafana/api/v1/rules", what="alert rules")
        groups = document.get("data", {}).get("groups") if isinstance(document, dict) else None
        if not isinstance(groups, list):
            raise Unavailable("Grafana answered its alert rules in a form that it does not document")
        listed = [rule for group in groups if isinstance(group, dict) for rule in group.get("rules") or ()]
        given, broken = several(GivenRule, listed, "alert rules")
        alerting = [one for one in given if one.type == "alerting"]
        ours = [one for one in alerting if arguments.service in self._services_of(one)]
        ours.sort(key=lambda one: ({"firing": 0, "pending": 1}.get(one.state, 2), one.name))
        words = await self.context.clean_rows([{"name": one.name, "query": one.query[:2_000]} for one in ours])
        rows = [self._rule(arguments.service, *each) for each in zip(ours, words, strict=True)]
        gaps = [f"{counted(broken, 'rule')} could not be read"] if broken else []
        if unnamed := sum(1 for one in alerting if not self._services_of(one)):
            gaps.append(f"not shown: {counted(unnamed, 'rule')} whose labels name no declared service")
        return _listed(arguments.service, "alert rules", rows, gaps)

    @tool()
    async def grafana_dashboards(self, arguments: DashboardsOfService) -> ToolOutput:
        """Dashboards of Grafana whose title names a service, as pages to link in an answer."""
        self.context.require_declared([arguments.service], key="service")
        found: dict[str, GivenDashboard] = {}
        service = next(one for one in self.context.services if one.name == arguments.service)
        for name in [name for name in service.names_for(self.names_are) if "*" not in name][:5]:
            params = {"type": "dash-db", "query": name, "limit": str(_SHOWN)}
            given, _ = several(
                GivenDashboard, await self._client.get("search", params, what="dashboards"), "dashboards"
            )
            found |= {one.uid: one for one in given}
        titles = await self.context.clean_words([one.title for one in found.values()])
        rows = [
            State(
                service=arguments.service,
                name=title,
                value="dashboard",
                line=f"dashboard {title}: {link}",
                link=link,
            )
            for title, one in zip(titles, found.values(), strict=True)
            if (link := self._page(f"/d/{quote(one.uid, safe='')}"))
        ]
        return _listed(arguments.service, "dashboards", rows, [])

    async def _permissions(self) -> tuple[str, ...]:
        """What is lost for want of a permission; of a Grafana that does not tell, nothing is known."""
        try:
            told = await self._client.get("access-control/user/permissions", what="permissions", retries=0)
        except (BadArguments, Unavailable):
            return ()
        if not isinstance(told, dict):
            return ()
        return tuple(f"{one.name} is missing: {one.without}" for one in SCOPES if one.name not in told)

    async def _known(self) -> list[GivenDatasource] | None:
        """All that the token may list; None where it may not."""
        try:
            return several(GivenDatasource, await self._client.get("datasources", what="data sources"), "data sources")[
                0
            ]
        except AgentError:
            return None

    async def _problem(self, uid: str, kind: str) -> str:
        """What is wrong with a data source; "" for nothing. A viewer may query it, though not see what it is."""
        what = f"data source {uid}"
        try:
            document = await self._client.get(f"datasources/uid/{uid}", what=what)
            (one,), _ = several(GivenDatasource, [document], what)
            if one.type != kind and not (kind == "prometheus" and _HOSTED.fullmatch(one.type)):
                return f"{what} is of type {one.type[:40]} and not {kind}"
        except NeedsReauthorisation:
            pass
        except AgentError as exc:
            return str(exc)
        except ValueError:
            return f"Grafana answered {what} in a form that it does not document"
        try:
            await self._client.get(f"datasources/uid/{uid}/health", what=f"{what} (it is not healthy)")
        except AgentError as exc:
            return str(exc)
        check = await self._behind[uid][1].check()
        return "" if check.ok else f"{what}: {check.detail}"

    def _change(self, one: GivenAnnotation, text: str, tags: Sequence[str]) -> Change | None:
        """None where it names no declared service, or several."""
        service = self._named(text, tags)
        if service is None:
            return None
        told = next((tag for tag in tags if tag.startswith(("version:", "sha:", "commit:", "tag:"))), "")
        found = _VERSION.search(text)
        page = f"/d/{quote(one.dashboard, safe='')}" if one.dashboard else ""
        return Change(
            id=f"grafana-annotation-{one.id}",
            service=service,
            at=datetime.fromtimestamp(one.time / 1_000, UTC),
            kind="deployment",
            version=told.partition(":")[2] or (found[1] if found else None),
            summary=text[:_LONGEST_WORDS] or ", ".join(tags),
            link=self._page(page) if page else None,
        )

    def _named(self, text: str, tags: Sequence[str]) -> str | None:
        """The one service of the tags, else of the text."""
        values = [tag.partition(":")[2] or tag for tag in tags]
        of_tags = {belongs_to(value, self.context.services, self.names_are) for value in values} - {None}
        if of_tags:
            return next(iter(of_tags)) if len(of_tags) == 1 else None
        of_text = names_in(text, self.context.names)
        return of_text[0] if len(of_text) == 1 else None

    def _services_of(self, rule: GivenRule) -> set[str]:
        """By the labels of the rule and of its instances."""
        told = [rule.labels, *(one.get("labels") for one in rule.alerts)]
        values = [
            (name, labels[name])
            for labels in told
            if isinstance(labels, dict)
            for name in self.config.service_labels
            if name in labels
        ]
        return {found for name, value in values if (found := belongs_to(str(value), self.context.services, name))}

    def _rule(self, service: str, one: GivenRule, words: Mapping[str, str]) -> State:
        ill = f", health {one.health}" if one.health not in ("", "ok") else ""
        active = f", {counted(len(one.alerts), 'instance')}" if one.alerts else ""
        query = " ".join(words["query"].split())[:_LONGEST_WORDS]
        return State(
            service=service,
            name=words["name"],
            value=one.state or "unknown",
            line=f"{one.state or 'unknown'}{ill}{active}: {words['name']}{f': {query}' if query else ''}",
            link=self._page(f"/alerting/grafana/{one.uid}/view") if one.uid else None,
        )

    def _page(self, path: str) -> str:
        """A page of Grafana; a path that it told may begin with its sub-path already."""
        parts = (part for part in path.split("/") if part)
        sub = (self.config.url.path or "/").strip("/")
        own = "/".join(parts)
        return f"{self._client.base}/{own.removeprefix(f'{sub}/') if sub else own}"


def _listed(service: str, what: str, rows: Sequence[Row], gaps: list[str]) -> ToolOutput:
    if len(rows) > _SHOWN:
        gaps.append(f"{len(rows) - _SHOWN} further {what} are not shown")
    absent = "" if rows else f"nothing found: no {what} of {service}"
    searched = Searched(service=service, what=what, found=len(rows), whole=not gaps, line=absent)
    return ToolOutput(
        text="\n".join(row.line for row in rows[:_SHOWN]) or absent,
        rows=(searched, *rows[:_SHOWN]),
        summary=f"{len(rows)} {what} of {service}",
        gap="; ".join(gaps) or None,
    )


CONNECTOR = Grafana
