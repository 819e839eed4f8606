"""Whatever a tool selects, cuts or mines is a selection of a stream that was redacted before.

Secrets are planted everywhere from where a connector reads. A search that could see them would tell by what it finds,
even if every letter were taken out of what it shows.
"""

import asyncio
import json
import random
import re
import string
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.connecting.connector import Connector, ConnectorContext, Service, discover_connectors
from agents.connecting.connectors.logfiles.reader import Span, read_spans, search_span
from agents.connecting.connectors.mcp.offers import fingerprint
from agents.connecting.log_search import Wanted, show
from agents.connecting.outbound import Outbound
from agents.connecting.toolbox import Toolbox
from agents.errors import AgentError
from agents.evidence.logs.packed_lines import PackedLines
from agents.evidence.types import Window
from agents.investigation import analysis
from agents.investigation.analysis import Told
from agents.investigation.log_tools import LogTools
from agents.investigation.telemetry import Gathered
from agents.tool import Tool
from store.secrets.redaction import Redactor, Secret
from tests.agents.connecting.connectors.conftest import NOW, Clock

CHANCE = random.Random(11)  # noqa: S311 -- the same texts in each run


def letters(count: int) -> str:
    return "".join(CHANCE.choices(string.ascii_letters + string.digits, k=count))


OWN = f"violet harbour/{letters(18)}"
TOKEN = f"ghp_{letters(36)}"
PASSWORD = f"{letters(14)}!x9"
KEY = [letters(64) for _ in range(6)]
KEY_BLOCK = ["-----BEGIN RSA PRIVATE KEY-----", *KEY, "-----END RSA PRIVATE KEY-----"]
OWN_KEY = [letters(40) for _ in range(3)]
TENANT = Redactor([Secret(OWN), Secret("\n".join(OWN_KEY))])
FRAGMENTS = [
    whole[at : at + 10] for whole in (OWN, TOKEN[4:], PASSWORD, *KEY, *OWN_KEY) for at in range(len(whole) - 9)
]
START = NOW - timedelta(minutes=10)
SHA = "4f2a91b04f2a91b04f2a91b04f2a91b04f2a91b0"


def leaks(shown: object) -> list[str]:
    text = shown if isinstance(shown, str) else repr(shown)
    return [fragment for fragment in FRAGMENTS if fragment in text]


ORDINARY = st.sampled_from(
    ["GET /cart 200 in 12 ms", "pool exhausted after 30 s", "retrying charge of order 71", "", "upstream timed out"]
)
SECRET = st.sampled_from(
    [
        KEY_BLOCK,
        [f"password={PASSWORD}"],
        [f"calling with token {TOKEN}"],
        [f"connect {OWN} refused"],
        OWN_KEY,
        [f"at Client.open(token={TOKEN}) {'x' * 7_900} {TOKEN} {'y' * 300}"],
        [f"{'z' * 7_970} {TOKEN}"],
        ["password:", f"  {PASSWORD}"],
    ]
)
LINES = st.lists(st.one_of(ORDINARY.map(lambda text: [text]), SECRET), min_size=1, max_size=12).map(
    lambda groups: [line for group in groups for line in group]
)


def as_text(at: datetime, line: str) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z INFO app: {line}"


def as_json(at: datetime, line: str) -> str:
    return json.dumps({"time": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", "level": "info", "msg": line, "pod": "a-1"})


def as_field(at: datetime, line: str) -> str:
    return json.dumps({"ts": at.timestamp(), "msg": "stderr", "stderr": line, "password": PASSWORD})


def as_pair(at: datetime, line: str) -> str:
    return json.dumps({"ts": at.timestamp(), "msg": line, "name": "DB_PASSWORD", "value": PASSWORD})


def written(folder: Path, lines: Sequence[str], form: Callable[[datetime, str], str]) -> Path:
    path = folder / "app.log"
    times = [START + timedelta(seconds=7 * n) for n in range(len(lines))]
    path.write_text("".join(f"{form(at, line)}\n" for at, line in zip(times, lines, strict=True)))
    return path


def span_of(path: Path, **changes: Any) -> Span:
    window = Window(start=START - timedelta(minutes=1), end=NOW)
    usual = {"service": "checkout", "path": path, "roots": (path.parent,), "window": window, "zone": "UTC"}
    return Span(**{**usual, "max_bytes": 8_000_000, "limit": 1_000, **changes})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=LINES,
    form=st.sampled_from([as_text, as_json, as_field, as_pair]),
    grep=st.one_of(st.sampled_from(["", "INFO", "pod|app", "redacted", "x+"]), st.sampled_from(FRAGMENTS)),
    limit=st.integers(1, 6),
    max_bytes=st.integers(1_000, 9_000),
    skipped=st.integers(0, 60),
)
def test_what_a_search_of_logs_shows_is_of_the_redacted_log(  # noqa: PLR0917 -- drawn by name
    tmp_path: Path,
    lines: list[str],
    form: Callable[[datetime, str], str],
    grep: str,
    limit: int,
    max_bytes: int,
    skipped: int,
) -> None:
    path, redactor = written(tmp_path, lines, form), TENANT.portable()
    everything, _ = read_spans([span_of(path)], redactor)
    stream = [show(line) for line in everything]
    assert not leaks(stream)
    window = Window(start=START + timedelta(seconds=skipped), end=NOW)
    chosen = span_of(path, limit=limit, max_bytes=max_bytes, window=window)
    rows, _ = search_span(chosen, Wanted(grep=grep, level=""), redactor)
    shown = [row.line for row in rows]
    assert not leaks(rows)
    assert set(shown) <= set(stream)
    assert not (shown and grep in FRAGMENTS), "a search tells of a secret by what it finds"
    mined = analysis.log_shifts(_gathered(everything), (), Told(), None)
    assert not leaks(mined)


def _gathered(lines: PackedLines) -> Gathered:
    window = Window(start=START - timedelta(minutes=1), end=NOW)
    return Gathered(window=window, series=(), logs=(lines,), changes=(), gaps=())


def test_a_key_that_is_printed_one_line_a_record_is_not_shown_from_its_middle_on(tmp_path: Path) -> None:
    """The case in which this was noticed: twelve of twelve lines were shown."""
    path = written(tmp_path, KEY_BLOCK, as_text)
    window = Window(start=START + timedelta(seconds=15), end=NOW)
    rows, _ = search_span(span_of(path, window=window), Wanted(grep="app", level=""), Redactor())
    shown = [row.line for row in rows]
    assert not leaks(shown)
    assert len(shown) == len(KEY_BLOCK) - 3, "records stay, each with its time"


# Every tool of every connector


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the local servers and files hold; all of it outside text."""

    folder: Path
    port: int
    context: ConnectorContext


PLANTED = f"key {TOKEN} and {OWN} with password={PASSWORD}"
BLOCK = "\n".join(KEY_BLOCK)
LABELS = {
    "job": "checkout",
    "service": "checkout",
    "dsn": f"postgres://app:{PASSWORD}@db/shop",
    "key": TOKEN,
    "own": OWN,
}


def prometheus_answer(path: str) -> object:
    sample = {"metric": {"__name__": "requests_total", **LABELS}, "value": [NOW.timestamp(), "1"]}
    series = {"metric": sample["metric"], "values": [[NOW.timestamp(), "1"]]}
    rule = {"name": PLANTED, "type": "alerting", "health": "ok", "query": f'up{{token="{TOKEN}"}}'}
    alert = {"state": "firing", "activeAt": "now", "value": "1", "labels": LABELS, "annotations": {"text": BLOCK}}
    data: dict[str, object] = {
        "query": {"resultType": "vector", "result": [sample]},
        "query_range": {"resultType": "matrix", "result": [series]},
        "alerts": {"alerts": [alert]},
        "rules": {"groups": [{"rules": [rule]}]},
        "metadata": {},
        "targets": {"activeTargets": []},
    }
    return {"status": "success", "data": data[path]}


def loki_answer(target: str) -> object:
    """One stream, the newest line first. A count tells labels only."""
    path, _, query = target.partition("?")
    if path.endswith("/labels"):
        return {"status": "success", "data": ["app"]}
    if path.endswith("/values"):
        return {"status": "success", "data": ["checkout"]}
    if path.endswith("/buildinfo"):
        return {"version": "3.4.2"}
    if "count_over_time" in query:
        series = [{"metric": {"level": PLANTED}, "values": [[NOW.timestamp(), "1"]]}]
        return {"status": "success", "data": {"resultType": "matrix", "result": series}}
    lines = [*KEY_BLOCK, f"error: {PLANTED}", "password:", f"  {PASSWORD}", f"{'x' * 7_980} {TOKEN}"]
    values = [
        [f"{round((NOW - timedelta(seconds=60 - n)).timestamp())}000000000", line, {"structuredMetadata": {"k": TOKEN}}]
        for n, line in enumerate(lines)
    ]
    result = [{"stream": {"app": "checkout"}, "values": values[::-1]}]
    return {"status": "success", "data": {"resultType": "streams", "result": result}}


def tempo_answer(path: str) -> object:
    if path.endswith("/values"):
        return {"tagValues": [{"type": "string", "value": "checkout"}]}
    if path.endswith("/search"):
        return {"traces": [{"traceID": "ab" * 8}]}
    at = round((NOW - timedelta(minutes=1)).timestamp())
    span = {
        "spanId": "AAAAAAAAAAE=",
        "name": f"GET /reset {PLANTED} {'x' * 100} {TOKEN}",
        "startTimeUnixNano": f"{at}000000000",
        "endTimeUnixNano": f"{at}001000000",
        "attributes": [{"key": "token", "value": {"stringValue": TOKEN}}],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]}
    return {"batches": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def grafana_answer(target: str) -> object:
    """Its own pages, and behind its proxy the other servers."""
    path = target.partition("?")[0].removeprefix("/graf/api/")
    for uid, behind in (("m", prometheus_answer), ("t", tempo_answer)):
        if path.startswith(f"datasources/proxy/uid/{uid}/"):
            return behind(path.rsplit("/", 1)[-1] if uid == "m" else path)
    if path.startswith("datasources/proxy/uid/l/"):
        return loki_answer(target)
    if path.startswith("alertmanager/grafana/"):
        return alertmanager_answer(path.rsplit("/", 1)[-1])
    labels = {"service": "checkout"}
    pages: dict[str, object] = {
        "annotations": [
            {"id": 1, "time": round(NOW.timestamp() * 1_000), "text": f"{PLANTED} {BLOCK}", "tags": ["checkout", OWN]}
        ],
        "search": [{"uid": "d", "title": f"checkout {PLANTED}"}],
        "prometheus/grafana/api/v1/rules": {
            "data": {"groups": [{"rules": [{"name": PLANTED, "query": f"{BLOCK} {TOKEN}", "labels": labels}]}]}
        },
    }
    return pages[path]


def jaeger_answer(path: str) -> object:
    if path == "services":
        return {"data": ["checkout"]}
    span = {
        "traceID": "ab" * 8,
        "spanID": "1",
        "operationName": f"GET /reset {PLANTED} {'x' * 100} {TOKEN}",
        "startTime": round((NOW - timedelta(minutes=1)).timestamp() * 1e6),
        "duration": 1000,
        "processID": "p",
    }
    return {"data": [{"traceID": "ab" * 8, "spans": [span], "processes": {"p": {"serviceName": "checkout"}}}]}


def github_answer(path: str) -> object:
    at = f"{NOW - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    link = {"html_url": "https://github.com/acme/shop", "created_at": at, "updated_at": at}
    commit = {"sha": "b" * 40, **link, "commit": {"message": PLANTED, "committer": {"date": at}}}
    kind = path.rsplit("/", 1)[-1]
    if kind == "deployments":
        words = {"task": "deploy", "environment": "production", "ref": "main", "description": PLANTED}
        return [
            {"id": n, "sha": sha * 40, "payload": None, "created_at": at, **words} for n, sha in ((2, "b"), (1, "a"))
        ]
    if kind == "statuses":
        return [{"state": "success", "created_at": at}]
    if kind == "pulls":
        return [{"number": 1, "title": PLANTED, "state": "open", **link}]
    if kind == "runs":
        run = {"id": 1, "name": PLANTED, "head_sha": "b" * 40, "event": "push", "conclusion": "failure", **link}
        return {"total_count": 1, "workflow_runs": [run]}
    if "compare" in path:
        file = {"filename": f"{TOKEN}.txt", "status": "modified", "changes": 1, "patch": f"{BLOCK}\n+{PLANTED}"}
        counts = {"status": "ahead", "ahead_by": 1, "total_commits": 1}
        return {**link, **counts, "commits": [commit], "files": [file]}
    return [commit]


def alertmanager_answer(kind: str) -> object:
    at = f"{NOW - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    if kind == "silences":
        matchers = [{"name": name, "value": value, "isRegex": False} for name, value in LABELS.items()]
        words = {"createdBy": OWN, "comment": f"{PLANTED} {BLOCK}", "startsAt": at, "endsAt": "2026-03-01T13:00:00Z"}
        return [{"id": "s1", "status": {"state": "active"}, "matchers": matchers, **words}]
    status = {"state": "active", "silencedBy": [], "inhibitedBy": []}
    told = {"annotations": {"summary": f"{'x' * 290} {TOKEN}", "text": BLOCK}, "startsAt": at}
    return [{"labels": {"alertname": PLANTED, **LABELS}, **told, "fingerprint": "f1", "status": status}]


def datadog_answer(path: str) -> object:
    at = NOW - timedelta(minutes=5)
    stamp, kind = at.isoformat(), path.rsplit("/", 1)[-1]
    monitor = {"id": 1, "name": PLANTED, "query": f"avg:x{{service:checkout,{TOKEN}}}", "message": BLOCK, "tags": []}
    groups = {f"service:checkout,key:{TOKEN}": {"status": "Alert", "last_triggered_ts": int(at.timestamp())}}
    told = {"service": "checkout", "tags": ["service:checkout"], "timestamp": stamp, "host": "h"}
    log = {**told, "status": "error", "message": f"{BLOCK} {PLANTED}", "attributes": {"db": {"password": PASSWORD}}}
    span = {**told, "trace_id": "ab", "span_id": "1", "resource_name": f"GET {PLANTED} {'x' * 100} {TOKEN}"}
    span |= {"start_timestamp": stamp, "end_timestamp": stamp}
    event = {**told, "message": PLANTED, "attributes": {"title": f"deploy {PLANTED}", "evt": {"id": "7"}}}
    points = {"pointlist": [[at.timestamp() * 1000, 1.0]] * 2, "interval": 20}
    names = [f"trace.web.request.{part}" for part in ("hits", "errors")] + ["queue.depth", f"a.{TOKEN}"]
    searched = {"logs": log, "spans": span, "events": event}
    if kind == "search" and "/v2/" in path:
        return {
            "data": [{"id": "1", "attributes": searched[path.split("/v2/")[1].split("/", maxsplit=1)[0]]}],
            "meta": {},
        }
    return {
        "search": {"monitors": [{**monitor, "status": "Alert"}], "metadata": {"page_count": 1}},
        "1": {**monitor, "overall_state": "Alert", "state": {"groups": groups}},
        "metrics": {"metrics": names},
        "query": {"series": [{"metric": f"m.{TOKEN}", "scope": f"version:{TOKEN}", **points}]},
        "deployments": {"data": [{"id": "d", "attributes": {"service": "checkout", "version": TOKEN, "env": OWN}}]},
    }.get(kind, {"data": []})


def pagerduty_answer(path: str) -> object:
    at = f"{NOW - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    ref = {"id": "QCHECKOUT1", "summary": PLANTED}
    service = {**ref, "name": "checkout", "escalation_policy": ref}
    state = {"status": "triggered", "created_at": at, "service": ref}
    found = {
        "services": [service],
        "incidents": [{**ref, **state, "incident_number": 1, "title": PLANTED, "priority": ref}],
        "alerts": [{**ref, **state, "alert_key": TOKEN, "body": {"details": {"text": BLOCK, "password": PASSWORD}}}],
        "notes": [{"content": f"{BLOCK} {PLANTED}", "user": ref, "created_at": at}],
        "oncalls": [{"escalation_level": 1, "user": ref, "escalation_policy": ref}],
    }
    if path.endswith("change_events"):
        change = {**ref, "timestamp": at, "source": TOKEN, "links": [{"href": f"https://ci.example/?token={TOKEN}"}]}
        return {"change_events": [change]}
    kind = path.rsplit("/", 1)[-1]
    return {kind: found[kind]} if kind in found else {"incident": found["incidents"][0]}


def sentry_answer(path: str) -> object:
    at = f"{NOW - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    project = {"id": "1", "slug": "checkout"}
    told = {"title": PLANTED, "culprit": f"pay {TOKEN}", "permalink": "https://acme.sentry.io/issues/7/"}
    counts = {"count": "3", "firstSeen": at, "lastSeen": at}
    issue = {"id": "7", "shortId": "SHOP-7", "status": "unresolved", "project": project, **told, **counts}
    frame = {"function": "charge", "filename": f"{OWN}.py", "lineNo": 7, "context": [[7, f"key = '{TOKEN}'"]]}
    raised = {"type": "Error", "value": BLOCK, "stacktrace": {"frames": [frame, {**frame, "vars": {"p": PASSWORD}}]}}
    crumbs = [{"timestamp": at, "category": "log", "message": f"{PLANTED} {BLOCK}", "data": {"password": PASSWORD}}]
    entries = [
        {"type": "exception", "data": {"values": [raised]}},
        {"type": "breadcrumbs", "data": {"values": crumbs}},
        {"type": "request", "data": {"headers": [["authorization", TOKEN]]}},
    ]
    deploy = {"id": "3", "environment": OWN, "dateFinished": at}
    release = {"version": f"shop@{TOKEN}", "dateCreated": at, "deployCount": 1, "lastDeploy": deploy}
    return {
        "projects": [project],
        "issues": [issue],
        "latest": {"id": "e", "title": PLANTED, "dateCreated": at, "entries": entries, "release": release},
        "releases": [{**release, "projects": [project]}],
        "commits": [{"id": "b" * 40, "message": PLANTED, "dateCreated": at}],
    }.get(path.rstrip("/").rsplit("/", 1)[-1], issue)


def jira_answer(path: str) -> object:
    at = f"{NOW - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S.000+0000}"
    nodes = [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in (*KEY_BLOCK, PLANTED)]
    document = {"type": "doc", "version": 1, "content": nodes}
    component = {"id": "5", "name": "checkout"}
    told = {"summary": PLANTED, "status": {"name": OWN}, "issuetype": {"name": "Task"}, "description": document}
    ticket = {"id": "1", "key": "OPS-1", "fields": {**told, "created": at, "components": [component]}}
    return {
        "components": [component],
        "jql": {"issues": [ticket], "isLast": True},
        "search": {"issues": [ticket], "total": 1},
        "comment": {"comments": [{"body": document, "created": at, "author": {"displayName": OWN}}], "total": 1},
    }.get(path.rsplit("/", 1)[-1], ticket)


def gitlab_answer(path: str) -> str:
    at = f"{NOW - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    link, kind = {"web_url": "https://gitlab.example.com"}, path.rsplit("/", 1)[-1]
    deployment = {"id": 1, "ref": PLANTED, "sha": "b" * 40, "status": "success", "created_at": at, "updated_at": at}
    deployment |= {"environment": {"name": f"prod {OWN}"}}
    request = {"iid": 7, "title": PLANTED, "state": "merged", "merged_at": at, **link}
    pipeline = {"id": 9, "ref": f"fix-{TOKEN}", "sha": "b" * 40, "status": "failed", "created_at": at, **link}
    job = {"id": 1, "name": f"deploy {TOKEN}", "status": "failed", "failure_reason": OWN}
    file = {"old_path": f"{TOKEN}.txt", "new_path": f"{TOKEN}.txt", "diff": f"{BLOCK}\n+{PLANTED}"}
    answers: dict[str, object] = {
        "deployments": [deployment],
        "merge_requests": [request],
        "pipelines": [pipeline],
        "jobs": [job],
        "compare": {"commits": [{"id": "b" * 40, "title": PLANTED}], "diffs": [file], **link},
        "tree": [{"id": "blob", "path": "settings.txt", "type": "blob"}],
    }
    if kind in ("trace", "raw"):
        return f"{BLOCK}\n{PLANTED}\n"
    return json.dumps(answers.get(kind, {"id": "b" * 40, "path_with_namespace": "acme/checkout", **link}))


def aws_answer(operation: str) -> object:
    """By the operation that a header names; every text holds secrets."""
    at, name = (NOW - timedelta(minutes=5)).timestamp(), f"/ecs/{TOKEN}"
    arn = "arn:aws:ecs:eu-west-1:1:task-definition/checkout:2"
    deployment = {"status": "PRIMARY", "createdAt": at, "taskDefinition": arn, "rolloutStateReason": PLANTED}
    service = {"serviceName": "checkout", "status": "ACTIVE", "taskDefinition": arn, "deployments": [deployment]}
    service |= {"events": [{"createdAt": at, "message": f"{BLOCK} {PLANTED}"}]}
    container = {"name": "app", "image": f"shop:{TOKEN}", "environment": [{"name": "DB_PASSWORD", "value": PASSWORD}]}
    dimensions = [{"Name": "ServiceName", "Value": "checkout"}, {"Name": "Key", "Value": TOKEN}]
    metric = {"Namespace": f"Shop/{TOKEN}", "MetricName": "Errors", "Dimensions": dimensions}
    alarm = {"AlarmName": PLANTED, "StateValue": "ALARM", "StateReason": BLOCK, "StateUpdatedTimestamp": at, **metric}
    trail = json.dumps({"requestParameters": {"service": "checkout", "note": PLANTED, "key": TOKEN}})
    event = {"EventId": "1", "EventName": "UpdateService", "EventTime": at, "Username": OWN, "CloudTrailEvent": trail}
    task = {"stoppedAt": at, "stoppedReason": PLANTED, "containers": [{"name": "app", "reason": BLOCK}]}
    stamp = f"{NOW - timedelta(minutes=1):%Y-%m-%d %H:%M:%S}.000"
    rows = [
        [{"field": "@timestamp", "value": stamp}, {"field": "@message", "value": text}] for text in (BLOCK, PLANTED)
    ]
    return {
        "ListClusters": {"clusterArns": ["arn:aws:ecs:eu-west-1:1:cluster/prod"]},
        "ListServices": {"serviceArns": ["arn:aws:ecs:eu-west-1:1:service/prod/checkout"]},
        "DescribeServices": {"services": [service]},
        "DescribeTaskDefinition": {"taskDefinition": {"containerDefinitions": [container]}},
        "ListTasks": {"taskArns": ["arn:aws:ecs:eu-west-1:1:task/prod/1"]},
        "DescribeTasks": {"tasks": [task]},
        "ListMetrics": {"Metrics": [metric]},
        "GetMetricData": {"MetricDataResults": [{"Id": "m0", "Timestamps": [at], "Values": [1.0]}]},
        "DescribeAlarms": {"MetricAlarms": [alarm]},
        "DescribeLogGroups": {"logGroups": [{"logGroupName": name}]},
        "FilterLogEvents": {"events": [{"timestamp": int(at * 1000), "message": f"{BLOCK} {PLANTED}"}]},
        "StartQuery": {"queryId": "q"},
        "GetQueryResults": {"status": "Complete", "results": rows},
        "LookupEvents": {"Events": [event]},
    }[operation]


def kubernetes_answer(path: str) -> object:
    """A Deployment that was rolled out once, its crashed pod, and events; every text of them holds secrets."""
    at = f"{NOW - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    labels, kind = {"app": "checkout"}, re.sub(r"/(checkout[^/]*)$", "", path).rsplit("/", 1)[-1]
    env = [{"name": "DB_PASSWORD", "value": PASSWORD}, {"name": "NOTE", "value": PLANTED}]
    containers = [{"name": "main", "image": f"shop/checkout:{TOKEN}", "env": env, "args": [BLOCK]}]
    meta = {"name": "checkout", "namespace": "shop", "uid": "u", "labels": labels, "creationTimestamp": at}
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    said = {"reason": "Error", "message": f"{BLOCK} {PLANTED}", "exitCode": 1}
    status = {"name": "main", "restartCount": 1, "state": {"waiting": said}, "lastState": {"terminated": said}}
    made = {"selector": {"matchLabels": labels}, "template": template}
    sets = [
        {
            "metadata": {
                **meta,
                "name": f"checkout-{number}",
                "annotations": {"deployment.kubernetes.io/revision": str(number)},
                "ownerReferences": [{"kind": "Deployment", "name": "checkout", "uid": "u", "controller": True}],
            },
            "spec": {**made, "template": {**template, "spec": {"containers": containers[number - 1 :]}}},
        }
        for number in (1, 2)
    ]
    objects: dict[str, list[dict[str, Any]]] = {
        "deployments": [{"metadata": meta, "spec": made, "status": {"conditions": [{"type": "Progressing", **said}]}}],
        "replicasets": sets,
        "pods": [{"metadata": meta, "spec": template["spec"], "status": {"containerStatuses": [status]}}],
        "services": [{"metadata": meta, "spec": {"selector": labels, "clusterIP": PLANTED}}],
        "events": [
            {"metadata": meta, "involvedObject": {"kind": "Pod", "name": "checkout"}, "lastTimestamp": at, **said}
        ],
    }
    found = objects.get(kind, [])
    return found[0] if path.endswith("/checkout") and found else {"metadata": {}, "items": found}


def kubernetes_log(target: str) -> str:
    stamp = f"{NOW - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ} " if "timestamps" in target else ""
    return "".join(f"{stamp}{line}\n" for line in (*KEY_BLOCK, f"error: {PLANTED}", "password:", f"  {PASSWORD}"))


def metrics_page(_target: str) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in LABELS.items())
    return f"requests_total{{{labels}}} 1\n"


MCP_TOOL = {"name": "look_up", "description": "Looks up.", "inputSchema": {"type": "object", "properties": {}}}


def mcp_answer(asked: bytes) -> str:
    """As a server of an older protocol answers; nothing where nothing was asked for."""
    call = json.loads(asked or b"{}")
    answers: dict[str, object] = {
        "initialize": {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "books", "version": "1"},
        },
        "tools/list": {"tools": [MCP_TOOL]},
        "tools/call": {"content": [{"type": "text", "text": "\n".join([PLANTED, *KEY_BLOCK, "x" * 19_500, TOKEN])}]},
    }
    if "id" not in call:
        return ""
    if call["method"] not in answers:
        return json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": PLANTED}})
    return json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": answers[call["method"]]})


ANSWERS: Sequence[tuple[str, Callable[[str], str]]] = (
    (r"/graf/api/.*", lambda target: json.dumps(grafana_answer(target))),
    (r"/tempo/api/.*", lambda target: json.dumps(tempo_answer(target))),
    (r"/prometheus/.*", lambda target: json.dumps(prometheus_answer(target.rsplit("/", 1)[-1]))),
    (r"/loki/api/v1/.*", lambda target: json.dumps(loki_answer(target))),
    (r".*/log", kubernetes_log),
    (r"/api/v4/.*", gitlab_answer),
    (r"/dd/.*", lambda target: json.dumps(datadog_answer(target))),
    (r"/apis/.*|/api/v1/(namespaces|nodes).*", lambda target: json.dumps(kubernetes_answer(target))),
    (r"/api/v2/.*", lambda target: json.dumps(alertmanager_answer(target.rsplit("/", 1)[-1]))),
    (r"/(services|incidents|oncalls|change_events)\b.*", lambda target: json.dumps(pagerduty_answer(target))),
    (r"/own/.*", lambda _: json.dumps({"password": PASSWORD, "said": [PLANTED, BLOCK], "by": {OWN: 1}})),
    (r"/rest/api/.*", lambda target: json.dumps(jira_answer(target))),
    (r"/api/0/.*", lambda target: json.dumps(sentry_answer(target))),
    (r"/repos/.*", lambda target: json.dumps(github_answer(target))),
    (r"/metrics", metrics_page),
    (r"/broken", lambda _: f"{'#' * 3}\nnot a metric {'x' * 40} {TOKEN}\n"),
    (r"/api/v1/.*", lambda target: json.dumps(prometheus_answer(target.rsplit("/", 1)[-1]))),
    (r".*", lambda target: json.dumps(jaeger_answer(target.removeprefix("/api/")))),
)


GIVEN = ("token", "api_key", "application_key", "access_key_id", "secret_access_key")


def answer_to(target: str) -> str:
    """By path; a log tells by its query whether stamps are wanted."""
    path, _, query = target.partition("?")
    told = next(told for pattern, told in ANSWERS if re.fullmatch(pattern, path))
    return told(query if told is kubernetes_log else target if path.startswith(("/loki/", "/graf/")) else path)


@pytest.fixture
async def site(tmp_path: Path, outbound: Outbound, clock: Clock) -> AsyncIterator[Site]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        asked = await reader.readexactly(int(length[1])) if length else b""
        target = head.split(b" ", 2)[1].decode()
        of_aws = re.search(rb"x-amz-target: [^\r]*\.(\w+)", head, re.IGNORECASE)
        told = json.dumps(aws_answer(of_aws[1].decode())) if of_aws else ""
        body = (told or (mcp_answer(asked) if target == "/mcp" else answer_to(target))).encode()
        status = "200 OK" if body else "202 Accepted"
        kind = "content-type: application/json\r\n" if target == "/mcp" else ""
        said = f"HTTP/1.1 {status}\r\nconnection: close\r\n{kind}content-length: {len(body)}\r\n\r\n"
        writer.write(said.encode() + body)
        await writer.drain()
        writer.close()

    async def tenant() -> Redactor:
        return TENANT

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    context = ConnectorContext(
        services=(Service(name="checkout"),),
        outbound=outbound,
        now=clock,
        redactor=tenant,
        credentials={name: Secret("a-token-that-a-vendor-gave") for name in GIVEN},
    )
    yield Site(folder=tmp_path, port=server.sockets[0].getsockname()[1], context=context)
    server.close()


def prometheus_of(site: Site) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{site.port}"}


def gitlab_of(site: Site) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{site.port}", "projects": ["acme/checkout"]}


def aws_of(site: Site) -> dict[str, Any]:
    return {"region": "eu-west-1", "endpoint": f"http://127.0.0.1:{site.port}"}


def datadog_of(site: Site) -> dict[str, Any]:
    return {"api": f"http://127.0.0.1:{site.port}/dd"}


def api_under(prefix: str) -> Callable[[Site], dict[str, Any]]:
    return lambda site: {"url": f"http://127.0.0.1:{site.port}{prefix}"}


def grafana_of(site: Site) -> dict[str, Any]:
    sources = {"metrics": ["m"], "logs": ["l"], "traces": ["t"]}
    return {"url": f"http://127.0.0.1:{site.port}/graf", **sources}


def github_of(site: Site) -> dict[str, Any]:
    return {"api": f"http://127.0.0.1:{site.port}", "repositories": ["acme/shop"]}


def api_of(site: Site) -> dict[str, Any]:
    return {"api": f"http://127.0.0.1:{site.port}"}


def http_json_of(site: Site) -> dict[str, Any]:
    fields = "password /password text; said /said/* text; by /by/* count"
    return {"url": f"http://127.0.0.1:{site.port}/own", "endpoints": {"queue": f"/{{service}}; {fields}"}}


def jira_of(site: Site) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{site.port}", "projects": ["OPS"], "change_types": ["Task"]}


def sentry_of(site: Site) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{site.port}", "organization": "acme"}


def kubernetes_of(site: Site) -> dict[str, Any]:
    return {"api": f"http://127.0.0.1:{site.port}", "namespaces": ["shop"]}


def openmetrics_of(site: Site) -> dict[str, Any]:
    return {"targets": {"checkout": f"http://127.0.0.1:{site.port}/metrics"}}


def logfiles_of(site: Site) -> dict[str, Any]:
    lines = [PLANTED, *KEY_BLOCK, "fine", f"{'x' * 7_980} {TOKEN}"]
    return {"roots": [str(site.folder)], "files": {"checkout": str(written(site.folder, lines, as_text))}}


def git_of(site: Site) -> dict[str, Any]:
    repository = site.folder / "repository"
    repository.mkdir()
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}

    def git(*arguments: str) -> None:
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **who}
        subprocess.run(["git", "-C", str(repository), *arguments], check=True, capture_output=True, env=environment)  # noqa: S607

    git("init", "-q")
    for number, content in enumerate(("first\n", f"{BLOCK}\n{PLANTED}\n{'y ' * 29_950}{TOKEN}\n")):
        (repository / "settings.txt").write_text(content)
        git("add", ".")
        git("commit", "-q", "-m", f"release {number} {PLANTED}")
        git("tag", "-a", f"deploy/checkout/{number}", "-m", f"{PLANTED}")
    return {"repository": str(repository)}


def commands_of(site: Site) -> dict[str, Any]:
    program = site.folder / "control.py"
    program.write_text(
        "import json, sys\n"
        f"words = {[PLANTED, *KEY_BLOCK]!r}\n"
        "if sys.argv[1] == 'status':\n"
        f"    print(json.dumps({{'version': {SHA!r}, 'state': {TOKEN!r}}}))\n"
        "else:\n"
        "    print('\\n'.join(words), file=sys.stderr if sys.argv[1] == 'fail' else sys.stdout)\n"
        f"    print('x' * (1000 - 10 - len('\\n'.join(words)) - 1) + {TOKEN!r})\n"
        "    sys.exit(sys.argv[1] == 'fail')\n"
    )
    argv = (sys.executable, str(program))
    made = [("status", "read_target"), ("show", "show"), ("fail", "fail")]
    return {
        "command": [
            {"name": name, "action": action, "argv": (*argv, name), "risk": "read", "max_output_bytes": 1_000}
            for name, action in made
        ]
    }


def mcp_of(site: Site) -> dict[str, Any]:
    accepted = {"fingerprint": fingerprint(MCP_TOOL), "description": "Looks up.", "arguments": MCP_TOOL["inputSchema"]}
    pinned = {"look_up": accepted}
    return {"url": f"http://127.0.0.1:{site.port}/mcp", "read": ["look_up"], "pinned": pinned}


def mcp_programs_of(site: Site) -> dict[str, Any]:
    """A program that is not there: what its tools answer goes the way of those of `mcp`."""
    return {"server": [{"name": "books", "argv": [str(site.folder / "books")], "read": {"look_up": "x"}}]}


CONFIGS: Mapping[str, Callable[[Site], dict[str, Any]]] = {
    "alertmanager": prometheus_of,
    "aws": aws_of,
    "commands": commands_of,
    "datadog": datadog_of,
    "git": git_of,
    "github": github_of,
    "grafana": grafana_of,
    "gitlab": gitlab_of,
    "jaeger": prometheus_of,
    "kubernetes": kubernetes_of,
    "logfiles": logfiles_of,
    "loki": prometheus_of,
    "mcp": mcp_of,
    "mcp_programs": mcp_programs_of,
    "mimir": prometheus_of,
    "openmetrics": openmetrics_of,
    "http_json": http_json_of,
    "jira": jira_of,
    "pagerduty": api_of,
    "sentry": sentry_of,
    "prometheus": prometheus_of,
    "tempo": api_under("/tempo"),
}
SERVICE = st.fixed_dictionaries({"service": st.just("checkout")})
CONTAINS = st.one_of(st.just(""), st.sampled_from(FRAGMENTS))
NAMED = st.just({"name": "checkout"})
KINDS = st.sampled_from(["pods", "deployments", "services"])
ARGUMENTS: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "aws_alarms": SERVICE,
    "aws_changes": SERVICE,
    "aws_ecs_service": SERVICE,
    "aws_logs": st.fixed_dictionaries({"service": st.just("checkout"), "contains": CONTAINS}),
    "aws_metric": st.fixed_dictionaries({"service": st.just("checkout"), "metric": st.sampled_from(["", "Errors"])}),
    "cluster_describe": st.fixed_dictionaries({"kind": KINDS, "name": st.just("checkout")}),
    "cluster_errors": NAMED,
    "cluster_list": st.fixed_dictionaries({"kind": st.one_of(KINDS, st.just("events"))}),
    "cluster_logs": NAMED,
    "cluster_manifest": NAMED,
    "compare_versions": st.fixed_dictionaries({"service": st.just("checkout"), "from_version": st.just("HEAD~1")}),
    "datadog_events": SERVICE,
    "datadog_logs": st.fixed_dictionaries({"service": st.just("checkout"), "contains": CONTAINS}),
    "datadog_metrics": st.fixed_dictionaries({"service": st.just("checkout"), "contains": CONTAINS}),
    "datadog_monitors": SERVICE,
    "datadog_query": st.just({"service": "checkout", "metric": "queue.depth"}),
    "datadog_spans": SERVICE,
    "datadog_trace": st.just({"trace": "ab"}),
    "fail": SERVICE,
    "file_at": st.fixed_dictionaries({"path": st.just("settings.txt")}),
    "find_traces": SERVICE,
    "grafana_dashboards": SERVICE,
    "grafana_rules": SERVICE,
    "gitlab_compare": SERVICE,
    "gitlab_deployments": SERVICE,
    "gitlab_job_trace": st.fixed_dictionaries(
        {"service": st.just("checkout"), "job": st.just(1), "contains": CONTAINS}
    ),
    "gitlab_merge_requests": st.fixed_dictionaries({"service": st.just("checkout"), "deployment": st.just(1)}),
    "gitlab_pipelines": SERVICE,
    "github_commits": SERVICE,
    "github_compare": SERVICE,
    "github_deployments": SERVICE,
    "github_pull_requests": SERVICE,
    "github_workflow_runs": SERVICE,
    "cluster_rollouts": SERVICE,
    "http_json_read": st.just({"service": "checkout", "endpoint": "queue"}),
    "jira_ticket": st.just({"ticket": "OPS-1"}),
    "jira_tickets": SERVICE,
    "latest_metrics": st.fixed_dictionaries({"service": st.just("checkout"), "contains": CONTAINS}),
    "list_alerts": st.just({}),
    "list_deployments": st.fixed_dictionaries({"service": st.just("checkout"), "limit": st.integers(1, 3)}),
    "list_metrics": st.fixed_dictionaries({"service": st.just("checkout"), "contains": CONTAINS}),
    "list_silences": SERVICE,
    "log_volume": SERVICE,
    "list_rules": st.fixed_dictionaries({"contains": CONTAINS}),
    "look_up": st.just({}),
    "metric_history": st.just({"service": "checkout", "name": "requests_total"}),
    "pagerduty_incident": st.just({"incident": "QCHECKOUT1"}),
    "pagerduty_incidents": SERVICE,
    "pagerduty_on_call": SERVICE,
    "query": st.just({"promql": "requests_total"}),
    "query_range": st.just({"promql": "requests_total"}),
    "read_trace": st.just({"trace": "ab" * 8}),
    "search_traces": SERVICE,
    "tempo_trace": st.just({"trace": "ab" * 8}),
    "search_logs": st.fixed_dictionaries(
        {"service": st.just("checkout"), "grep": CONTAINS, "limit": st.integers(1, 20)}
    ),
    "sentry_event": st.just({"issue": "7"}),
    "sentry_issues": SERVICE,
    "service_status": SERVICE,
    "show": SERVICE,
    "show_commit": st.just({}),
}


def test_every_connector_is_tried() -> None:
    assert set(CONFIGS) == set(discover_connectors())


@pytest.mark.parametrize("name", sorted(CONFIGS))
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_tool_of_a_connector_shows_a_secret_or_finds_one(name: str, site: Site, data: st.DataObject) -> None:
    kind = discover_connectors()[name]
    folder = site.folder / letters(8)
    folder.mkdir()
    here = Site(folder=folder, port=site.port, context=site.context)
    connector = kind(kind.config_model.model_validate(CONFIGS[name](here)), site.context)
    if hasattr(connector, "scrape"):
        await connector.scrape()
    every = (connector, *connector.behind())
    shared = LogTools(Toolbox(connectors=every, services=site.context.services), now=lambda: NOW)
    for offered in [*(tool for one in every for tool in one.tools()), *shared.tools()]:
        drawn = data.draw(ARGUMENTS[offered.name.removeprefix("mimir_")], label=offered.name)
        answer = await asked(offered, {**drawn, **versions(connector, offered)})
        sought = next((value for value in drawn.values() if value in FRAGMENTS), None)
        assert not leaks(repr(answer).replace(f"'{sought}'", "the caller's own words")), offered.name
        assert sought is None or told_nothing(answer), offered.name


async def asked(offered: Tool, arguments: dict[str, Any]) -> object:
    """The output of a tool, or what its error says."""
    try:
        return await offered.run(offered.parse(arguments))
    except AgentError as exc:
        return str(exc)


def versions(connector: Connector, offered: Tool) -> dict[str, str]:
    """The ids of the two commits, for tools of git that want them."""
    fields = {"version", "from_version", "to_version"} & set(offered.arguments.model_fields)
    if not fields:
        return {}
    if connector.name in ("github", "gitlab"):
        return {field: ("a" if field == "from_version" else "b") * 40 for field in fields}
    folder = str(connector.config.repository)
    said = subprocess.run(["git", "-C", folder, "rev-list", "HEAD"], check=True, capture_output=True, text=True)  # noqa: S607
    new, old = said.stdout.split()
    return {field: old if field == "from_version" else new for field in fields}


def told_nothing(answer: object) -> bool:
    return any(text in repr(answer) for text in ("no matching lines", "nothing found", "no samples"))


async def test_what_feeds_the_evidence_holds_no_secret_either(site: Site) -> None:
    window = Window(start=START, end=NOW + timedelta(minutes=1))
    read: list[object] = []
    for name in sorted(CONFIGS):
        kind = discover_connectors()[name]
        connector: Any = kind(kind.config_model.model_validate(CONFIGS[name](site)), site.context)
        if name == "openmetrics":
            await connector.scrape()
        for one in (connector, *connector.behind()):
            for source in ("read_series", "read_logs", "read_changes", "read_spans"):
                if hasattr(one, source):
                    answer = await getattr(one, source)(window)
                    read.append(getattr(answer, "spans", getattr(answer, "lines", answer)))
            if hasattr(one, "read_alerts"):
                read.append(await one.read_alerts())
    assert len(read) > 9, "each source of evidence was asked"
    assert not leaks([list(one) if isinstance(one, PackedLines) else getattr(one, "operations", one) for one in read])


async def test_a_page_that_is_no_metrics_is_told_of_without_its_secrets(site: Site) -> None:
    kind: Any = discover_connectors()["openmetrics"]
    config = kind.config_model(targets={"checkout": f"http://127.0.0.1:{site.port}/broken"})
    connector = kind(config, site.context)
    assert not leaks((await connector.check()).detail)
    read = await connector.read_series(Window(start=START, end=NOW + timedelta(minutes=1)))
    assert read.gaps
    assert not leaks(read.gaps)


@pytest.fixture(autouse=True)
def _clock_starts_now(clock: Clock) -> None:
    clock.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
