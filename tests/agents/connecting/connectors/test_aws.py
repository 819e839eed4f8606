"""AWS: who asks, what it tells of a service, in whose words it refuses. A strict local AWS, and moto's."""

import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.connecting.active_alerts import AlertSource
from agents.connecting.connector import ChangeSource, ConnectorContext, Discovers, LogSource, MetricSource, Service
from agents.connecting.connectors.aws import CONNECTOR, Aws
from agents.connecting.connectors.aws.asked import AwsHistory, AwsLogs, AwsMetric, OfAwsService
from agents.connecting.connectors.aws.settings import READS, AwsConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.workloads import WorkloadActuator
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, NotPermitted, TooLarge, Unavailable
from agents.evidence.metrics.indicators import derive_indicators
from agents.evidence.types import Window
from agents.rows import Changed, Logged, Sampled, State
from store.secrets.redaction import Secret
from tests.fakes.aws import EXTERNAL_ID, NOW, ROLE, FakeAws, a_service, fake_aws, with_ecs

SERVICES = (Service(name="checkout"), Service(name="payments"))
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
HOUR = Window(start=NOW - timedelta(hours=1), end=NOW)
GROUP = "targetgroup/checkout/0123456789abcdef"
ROOT = Path(__file__).resolve().parents[4]
Connect = Callable[..., Aws]


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHISPROCESS000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
async def server() -> AsyncIterator[FakeAws]:
    async with fake_aws() as fake:
        yield fake


@pytest.fixture(autouse=True)
def documented(server: FakeAws) -> Iterator[None]:
    """After each test: nothing was asked or answered that AWS' descriptions do not have."""
    yield
    assert server.problems == []


@pytest.fixture
async def connect(server: FakeAws) -> AsyncIterator[Connect]:
    async def pause(_seconds: float) -> None:
        return

    opened: list[Aws] = []
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=pause)

    def make(
        *,
        external_id: str = EXTERNAL_ID,
        now: Callable[[], datetime] = lambda: NOW,
        way_out: Outbound = outbound,
        credentials: dict[str, Secret] | None = None,
        **config: Any,
    ) -> Aws:
        secrets = {"external_id": Secret(external_id)} if credentials is None else credentials
        context = ConnectorContext(services=SERVICES, outbound=way_out, now=now, credentials=secrets)
        usual = {"region": "eu-west-1", "role_arn": ROLE, "endpoint": server.url}
        opened.append(CONNECTOR(AwsConfig.model_validate({**usual, **config}), context))
        return opened[-1]

    yield make
    for one in opened:
        await one.close()
    await outbound.close()


def metric(namespace: str, name: str, **dimensions: str) -> dict[str, Any]:
    told = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": told}


def an_alarm(name: str, state: str = "ALARM", **more: Any) -> dict[str, Any]:
    usual = metric("AWS/ECS", "CPUUtilization", ServiceName="checkout")
    return {
        "AlarmName": name,
        "StateValue": state,
        "StateReason": "Threshold crossed",
        "StateUpdatedTimestamp": NOW - timedelta(minutes=5),
        "ActionsEnabled": True,
        "Threshold": 90.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **usual,
        **more,
    }


async def test_the_role_is_assumed_with_the_external_id_and_kept_by_its_own_connection(
    server: FakeAws, connect: Connect
) -> None:
    clock = [NOW]
    first, second = connect(now=lambda: clock[0]), connect()
    for _ in range(2):
        await first.read_alerts()
    assert len(server.assumed) == 1
    assert server.assumed[0]["ExternalId"] == EXTERNAL_ID
    await second.read_alerts()
    assert len(server.assumed) == 2, "no connection uses another one's session"
    clock[0] += timedelta(minutes=56)
    server.now = lambda: clock[0]
    await first.read_alerts()
    assert len(server.assumed) == 3, "it is renewed before it ends"
    with pytest.raises(NeedsReauthorisation, match="trust policy must name"):
        await connect(external_id="x" * 16).read_alerts()


async def test_what_leaves_is_held_to_the_hosts_of_the_connection(server: FakeAws, connect: Connect) -> None:
    hosts = CONNECTOR.hosts(AwsConfig(region="eu-west-1", role_arn=ROLE))
    assert "sts.eu-west-1.amazonaws.com" in hosts
    assert CONNECTOR.hosts(AwsConfig(region="cn-north-1"))[0] == "sts.cn-north-1.amazonaws.com.cn"
    for policy in (EgressPolicy(only_hosts=hosts), EgressPolicy()):
        way_out = Outbound(policy)
        with pytest.raises(NotPermitted):
            await connect(way_out=way_out).read_alerts()
        await way_out.close()
    assert server.assumed == [], "nothing went out"


def test_a_role_wants_an_external_id(connect: Connect) -> None:
    with pytest.raises(BadArguments, match="role_arn with external_id"):
        connect(credentials={})


def test_it_is_a_source_of_most_and_an_actuator(connect: Connect) -> None:
    source = connect()
    for kind in (AlertSource, MetricSource, LogSource, ChangeSource, Discovers, WorkloadActuator):
        assert isinstance(source, kind), kind


async def test_alarms_without_data_and_those_that_never_fire_are_told(server: FakeAws, connect: Connect) -> None:
    wrong = metric("AWS/ECS", "CPUUtilization", ServiceName="checkout", ClusterName="old")
    known = metric("AWS/ECS", "CPUUtilization", ServiceName="checkout")

    def alarms(asked: dict[str, Any]) -> dict[str, Any]:
        given = [
            an_alarm("High CPU"),
            an_alarm("Quiet", ActionsEnabled=False),
            an_alarm("Of nobody", **metric("AWS/SQS", "Age", QueueName="warehouse")),
            an_alarm("Waits", "INSUFFICIENT_DATA"),
            an_alarm("Typo", "INSUFFICIENT_DATA", **wrong),
            an_alarm("payments latency", "OK", **metric("Shop", "p99")),
        ]
        wanted = asked.get("StateValue")
        return {"MetricAlarms": [one for one in given if wanted in (None, one["StateValue"])]}

    server.answers = {"DescribeAlarms": alarms, "ListMetrics": {"Metrics": [known]}}
    with_ecs(server)
    read = await connect().read_alerts()
    assert [(one.service, one.name, one.state, one.severity) for one in read.alerts] == [
        ("checkout", "High CPU", "firing", ""),
        ("checkout", "Typo", "firing", "no data"),
        ("checkout", "Waits", "firing", "no data"),
        ("checkout", "Quiet", "muted", ""),
    ]
    assert len(read.gaps) == 1
    assert "the alarm Typo of checkout never fires: AWS/ECS CPUUtilization is reported with other" in read.gaps[0]
    listed = await connect().aws_alarms(OfAwsService(service="payments"))
    (state,) = [row for row in listed.rows if isinstance(row, State)]
    assert (state.name, state.value) == ("payments latency", "OK")


async def test_requests_of_the_load_balancer_become_indicators(server: FakeAws, connect: Connect) -> None:
    with_ecs(server, a_service("checkout", 42, loadBalancers=[{"targetGroupArn": f"arn:aws:x:eu-west-1:1:{GROUP}"}]))
    balanced = {"TargetGroup": GROUP, "LoadBalancer": "app/shop/1"}
    elb = [
        metric("AWS/ApplicationELB", name, **balanced)
        for name in ("RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime")
    ]
    own = [metric("AWS/ECS", "CPUUtilization", ServiceName="checkout", ClusterName="prod")]

    def listed(asked: dict[str, Any]) -> dict[str, Any]:
        wanted = asked["Dimensions"][0]
        return {"Metrics": [m for m in (*elb, *own) if wanted in m["Dimensions"]]}

    def data(asked: dict[str, Any]) -> dict[str, Any]:
        minutes = [NOW - timedelta(minutes=60 - n) for n in range(60)]
        courses = {
            "RequestCount": [600.0] * 60,
            "HTTPCode_Target_5XX_Count": [0.0] * 40 + [300.0] * 20,
            "TargetResponseTime": [0.1] * 40 + [0.5] * 20,
            "CPUUtilization": [55.0] * 60,
        }
        results = []
        for query in asked["MetricDataQueries"]:
            values = courses[query["MetricStat"]["Metric"]["MetricName"]]
            results.append({"Id": query["Id"], "Timestamps": minutes, "Values": values, "StatusCode": "Complete"})
        return {"MetricDataResults": results}

    server.answers |= {"ListMetrics": listed, "GetMetricData": data}
    read = await connect().read_series(HOUR)
    assert read.gaps == ("payments: CloudWatch has no metric of it",)
    found = {one.indicator: one for one in derive_indicators(read.series, lambda raw: raw.labels["service"])}
    assert found["error ratio"].values[-1] == pytest.approx(0.5)
    assert np.nanmax(found["error ratio"].values[:38]) == pytest.approx(0.0)
    assert found["latency mean"].values[-1] == pytest.approx(0.5)
    assert found["requests rate"].values[-1] == pytest.approx(10.0)
    cpu = next(one for name, one in found.items() if "CPUUtilization" in name)
    assert (cpu.unit, cpu.values[-1]) == ("ratio", pytest.approx(0.55))
    shown = await connect().aws_metric(AwsMetric(service="checkout", metric="CPUUtilization", statistic="Maximum"))
    assert [len(row.points) for row in shown.rows if isinstance(row, Sampled)] == [60]
    names = await connect().aws_metric(AwsMetric(service="checkout"))
    assert "AWS/ApplicationELB RequestCount" in names.text


async def test_logs_are_sampled_over_the_window_and_searched_newest_first(server: FakeAws, connect: Connect) -> None:
    with_ecs(server, a_service("checkout", 42))

    def events(asked: dict[str, Any]) -> dict[str, Any]:
        at = asked["startTime"] + 1000
        message = f'{{"level": "error", "msg": "pool exhausted", "key": "{SECRET}"}}'
        return {"events": [{"timestamp": at, "message": message, "logStreamName": "s", "eventId": str(at)}]}

    row = [
        {"field": "@timestamp", "value": "2026-03-01 11:59:00.000"},
        {"field": "@message", "value": f"ERROR token {SECRET} refused"},
    ]
    server.answers |= {
        "FilterLogEvents": events,
        "StartQuery": {"queryId": "q1"},
        "GetQueryResults": {"status": "Complete", "results": [row]},
        "DescribeLogGroups": {"logGroups": []},
    }
    read = await connect().read_logs(HOUR)
    assert [line.text for line in read.lines] == ["pool exhausted"] * 6
    assert {line.service for line in read.lines} == {"checkout"}
    assert {asked["logGroupName"] for asked in server.of("FilterLogEvents")} == {"/ecs/checkout"}
    assert SECRET not in repr(list(read.lines))
    assert read.gaps == ("payments: CloudWatch has no log group of it",)
    found = await connect().aws_logs(AwsLogs(service="checkout", contains="refused"))
    (line,) = [one for one in found.rows if isinstance(one, Logged)]
    assert SECRET not in repr(found)
    assert line.first == NOW - timedelta(minutes=1)
    assert 'like "refused"' in server.of("StartQuery")[0]["queryString"]
    secret = await connect().aws_logs(AwsLogs(service="checkout", contains=SECRET[4:20]))
    assert secret.text.startswith("nothing found"), "a search must not tell of what was taken out"
    server.answers["GetQueryResults"] = {"status": "Running", "results": []}
    late = await connect().aws_logs(AwsLogs(service="checkout"))
    assert late.gap is not None
    assert server.of("StopQuery") == [{"queryId": "q1"}], "what takes too long is stopped, for it is paid"


async def test_a_service_of_ecs_with_why_its_tasks_stopped(server: FakeAws, connect: Connect) -> None:
    with_ecs(server, a_service("checkout", 42, before=41))
    container = {"name": "app", "exitCode": 137, "reason": f"OutOfMemoryError: key {SECRET}"}
    server.answers |= {
        "ListTasks": {"taskArns": ["arn:aws:ecs:eu-west-1:123456789012:task/prod/1"]},
        "DescribeTasks": {
            "tasks": [
                {
                    "stoppedAt": NOW - timedelta(minutes=2),
                    "stoppedReason": "Essential container in task exited",
                    "containers": [container],
                }
            ]
        },
    }
    shown = await connect().aws_ecs_service(OfAwsService(service="checkout"))
    assert "3 of 3 run, 0 pending, checkout:42" in shown.text
    assert "deployment of checkout:41" in shown.text
    assert "Essential container in task exited; app: exit code 137, OutOfMemoryError" in shown.text
    assert SECRET not in repr(shown)
    server.refused = {"ListTasks": (400, "AccessDeniedException")}
    partly = await connect().aws_ecs_service(OfAwsService(service="checkout"))
    assert (
        partly.gap
        == "why tasks stopped is not known: the role may not read stopped tasks of checkout: allow ecs:ListTasks"
    )
    with pytest.raises(BadArguments, match="no service of ECS in eu-west-1"):
        await connect().aws_ecs_service(OfAwsService(service="payments"))
    assert [one.name for one in (await connect().discover()).services] == ["checkout"]


async def test_deployments_and_recorded_changes(server: FakeAws, connect: Connect) -> None:
    with_ecs(server, a_service("checkout", 42, before=41))

    def recorded(name: str, asked: dict[str, Any], minutes: float, **more: Any) -> dict[str, Any]:
        told = {"requestParameters": asked, **more}
        return {
            "EventId": f"{name}-{minutes}",
            "EventName": name,
            "EventTime": NOW - timedelta(minutes=minutes),
            "EventSource": "ecs.amazonaws.com",
            "Username": "mia",
            "CloudTrailEvent": json.dumps(told),
            "Resources": [],
        }

    server.answers["LookupEvents"] = {
        "Events": [
            recorded("UpdateService", {"service": "checkout", "taskDefinition": "checkout:42"}, 20),
            recorded("UpdateService", {"service": "checkout", "desiredCount": 1}, 10),
            recorded("UpdateService", {"service": "checkout", "desiredCount": 9}, 9, errorCode="AccessDenied"),
            recorded("PutParameter", {"name": "/prod/payments", "value": SECRET}, 8),
            recorded("CreateLogStream", {"logGroupName": "checkout"}, 7),
        ]
    }
    read = await connect().read_changes(HOUR)
    assert [(one.service, one.kind, one.version, one.previous_version) for one in read.changes] == [
        ("checkout", "deployment", "checkout:42", "checkout:41"),
        ("checkout", "config", None, None),
        ("payments", "config", None, None),
    ]
    assert SECRET not in repr(read)
    shown = await connect().aws_changes(AwsHistory(service="checkout"))
    assert [row.kind for row in shown.rows if isinstance(row, Changed)] == ["config", "deployment"]
    assert "mia" not in shown.text
    diff = await connect().read_diff("checkout", "checkout:41", "checkout:42")
    assert '-   "image": "shop/checkout:41",' in diff.text
    with pytest.raises(BadArguments):
        await connect().read_diff("checkout", "4f2a91b", "5d6e7f8")


@pytest.mark.parametrize(
    ("refusal", "error", "told"),
    [
        ((400, "AccessDeniedException"), NeedsReauthorisation, "allow cloudwatch:DescribeAlarms"),
        ((400, "ExpiredTokenException"), NeedsReauthorisation, "does not accept the credentials"),
        ((400, "ThrottlingException"), Unavailable, "AWS is busy"),
        ((503, "ServiceUnavailable"), Unavailable, "AWS is busy"),
        ((400, "InvalidParameterValue"), BadArguments, "refused the question for alarms"),
        (b"<html>sign in</html>", Unavailable, "is not JSON"),
        (b"{" + b" " * 16_000_001, TooLarge, "more than 16000000 bytes"),
    ],
)
async def test_what_it_refuses_is_said_and_never_nothing_found(
    refusal: Any, error: type[AgentError], told: str, server: FakeAws, connect: Connect
) -> None:
    if isinstance(refusal, bytes):
        server.raw = (200, refusal)
    else:
        server.refused = {"*": refusal}
    with pytest.raises(error, match=told):
        await connect().read_alerts()
    if error not in (BadArguments, TooLarge):
        check = await connect().check()
        assert not check.ok
        assert check.next_action


async def test_one_that_does_not_answer_is_given_up(
    server: FakeAws, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Outbound.request

    async def soon(self: Outbound, method: str, url: str, **options: Any) -> Any:
        return await asked(self, method, url, **{**options, "timeout_s": 0.0})

    monkeypatch.setattr(Outbound, "request", soon)
    with pytest.raises(Unavailable, match="did not answer"):
        await connect().read_alerts()
    assert server.asked == []


async def test_the_check_names_missing_rights_and_the_policy_is_shipped(server: FakeAws, connect: Connect) -> None:
    with_ecs(server, a_service("checkout", 42))
    good = await connect().check()
    assert good.ok, good
    assert "1 of 2 declared services seen in ECS" in good.detail
    server.refused = {"LookupEvents": (400, "AccessDeniedException"), "UpdateService": (400, "AccessDeniedException")}
    check = await connect(actions=["ecs_update_service"]).check()
    assert (check.ok, check.usable) == (False, True)
    assert check.lacks[0].startswith("cloudtrail:LookupEvents: what people changed is not known")
    assert "ecs:UpdateService" in check.next_action
    shipped = json.loads((ROOT / "docs" / "how-to" / "aws-policy.json").read_text())
    reads, updates, passes = shipped["Statement"]
    assert reads["Action"] == [name for names in READS.values() for name in names], "the policy is the list of rights"
    assert [one.name for one in CONNECTOR.scopes] == reads["Action"]
    assert updates["Action"] == ["ecs:UpdateService"]
    assert passes["Action"] == ["iam:PassRole"]
    assert passes["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    keys = {"access_key_id": Secret("ASIAEXAMPLEEXAMPLE12"), "secret_access_key": Secret("s")}
    server.refused = {"*": (400, "ThrottlingException")}
    assert not (await connect(role_arn="", credentials=keys).check()).usable


@pytest.mark.slow
async def test_against_moto_metrics_alarms_and_an_update(connect: Connect) -> None:
    from aiobotocore.session import get_session  # type: ignore[import-untyped] # publishes no types
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        session = get_session()
        where: dict[str, Any] = {"region_name": "eu-west-1", "endpoint_url": url}
        dimensions = [{"Name": "ServiceName", "Value": "checkout"}]
        now = datetime.now(NOW.tzinfo)
        async with session.create_client("ecs", **where) as ecs, session.create_client("cloudwatch", **where) as watch:
            await ecs.create_cluster(clusterName="prod")
            for tag in ("1", "2"):
                container = {"name": "app", "image": f"shop/checkout:{tag}", "memory": 64}
                await ecs.register_task_definition(family="checkout", containerDefinitions=[container])
            await ecs.create_service(
                cluster="prod", serviceName="checkout", taskDefinition="checkout:2", desiredCount=1
            )
            data = {"MetricName": "Errors", "Dimensions": dimensions, "Value": 7.0, "Timestamp": now}
            await watch.put_metric_data(Namespace="Shop", MetricData=[data])
        aws = connect(endpoint=url, actions=["ecs_update_service"], now=lambda: now + timedelta(minutes=1))
        read = await aws.read_series(Window(start=now - timedelta(minutes=30), end=now + timedelta(minutes=1)))
        assert [(one.name, one.values.tolist()) for one in read.series] == [("Shop.Errors", [pytest.approx(7 / 60)])]
        workload = await aws.read_workload("checkout")
        assert [one.version for one in workload.revisions] == ["checkout:1", "checkout:2"]
        assert '+   "image": "shop/checkout:2"' in (await aws.read_diff("checkout", "checkout:1", "checkout:2")).text
    finally:
        moto.stop()
