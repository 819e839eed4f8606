"""Kubernetes: what is found, what is empty, further pages, a malformed answer; what each refusal means.

Every request that any of these tests makes is held against Kubernetes' own description, where ../shared is there.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes.kubernetes import FakeKubernetes, status
from fakes.kubernetes.objects import (
    deploy,
    deployment,
    ended,
    endpoints,
    event,
    node,
    pending,
    pod,
    quota,
    service,
    waiting,
)

from agents.connecting.connector import (
    ChangeSource,
    Check,
    ConnectorContext,
    Discovers,
    LogSource,
    discover_connectors,
)
from agents.connecting.connectors import kubernetes
from agents.connecting.connectors.kubernetes import Kubernetes, KubernetesConfig
from agents.connecting.connectors.kubernetes.client import PAGE
from agents.connecting.connectors.kubernetes.kinds import RIGHTS
from agents.connecting.fields import FormError, read_form
from agents.connecting.outbound import Outbound
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, NotPermitted, Unavailable
from agents.evidence.types import Window
from agents.rows import Changed, Printed, Searched
from agents.tool import ToolOutput
from store.secrets.redaction import Secret
from tests.agents.connecting.connectors.kubernetes.conftest import LOOPBACK, NOW, rules

DAY = Window(start=NOW - timedelta(days=1), end=NOW)
ROLE = Path(kubernetes.__file__).with_name("role.yaml")
PULL = 'Failed to pull image "shop/checkout:1.3": not found'


def broken_rollout(cluster: FakeKubernetes) -> str:
    """Checkout went from 1.2 to 1.3 at 11:50, and 1.3 cannot be pulled. Answers the sick pod's name."""
    deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
    new = deploy(cluster, deployment("checkout", "shop/checkout:1.3", ready=1), "2026-03-01T11:50:00Z")
    sick = pod(new, **waiting("ImagePullBackOff", "Back-off pulling image"))
    cluster.add("pods", sick)
    name: str = sick["metadata"]["name"]
    cluster.add("events", event("Pod", name, "Failed", PULL))
    return name


async def use(connector: Kubernetes, called: str, /, **arguments: Any) -> ToolOutput:
    tool = next(one for one in connector.tools() if one.name == called)
    return await tool.run(tool.parse(arguments))


async def test_lists_and_descriptions_are_as_kubectl_prints_them(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    name = broken_rollout(cluster)
    connector = connect()
    listed = await use(connector, "cluster_list", kind="pods")
    assert listed.text.splitlines()[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert listed.text.splitlines()[1].split() == [name, "0/1", "ImagePullBackOff", "0", "10m"]
    assert listed.gap is None
    described = await use(connector, "cluster_describe", kind="pod", name=name)
    assert "Reason:       ImagePullBackOff" in described.text
    assert f"Warning  Failed  30s (x3 over 5m)  kubelet  {PULL}" in described.text
    (row,) = described.rows
    assert isinstance(row, Printed)
    assert row.service == "checkout"
    deployments = await use(connector, "cluster_list", kind="deploy")
    assert deployments.text.splitlines()[1].split() == ["checkout", "1/2", "2", "1", "28d"]


async def test_every_kind_is_listed_or_said_to_be_none(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    broken_rollout(cluster)
    cluster.add("services", service("checkout"), service("quiet"))
    cluster.add("endpointslices", endpoints("checkout", "10.0.0.7"), endpoints("quiet", "10.0.0.9", ready=False))
    cluster.add("resourcequotas", quota("team", {"pods": "5", "limits.cpu": "1"}, {"pods": "5", "limits.cpu": "2"}))
    cluster.add("nodes", node(), node("node-b", ready="Unknown"))
    connector = connect()
    for kind, told in (
        ("replicasets", "checkout-"),
        ("services", "80/TCP"),
        ("endpoints", "quiet      <none>"),
        ("resourcequota", "pods: 5/5"),
        ("resourcequota", "limits.cpu: 1/2"),
        ("nodes", "NotReady"),
        ("events", "Failed"),
        ("statefulsets", "No resources found in shop namespace."),
        ("networkpolicies", "No resources found in shop namespace."),
        ("persistentvolumes", "No resources found"),
    ):
        assert told in (await use(connector, "cluster_list", kind=kind)).text, kind
    with pytest.raises(BadArguments, match="'secrets' is not read here; read are: pods, deployments"):
        await use(connector, "cluster_list", kind="secrets")


async def test_logs_before_the_last_restart_come_first_and_hold_no_secret(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    of = deploy(cluster, deployment("checkout", "shop/checkout:1.3"), "2026-03-01T11:50:00Z")
    crashed = {"restartCount": 4, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    sick = pod(of, **{**waiting("CrashLoopBackOff"), **crashed})
    cluster.add("pods", sick)
    name = sick["metadata"]["name"]
    cluster.logs["shop", name, "main", True] = "2026-03-01T11:58:00.123456789Z FATAL: password=hunter2secret refused\n"
    cluster.logs["shop", name, "main", False] = "2026-03-01T11:59:00.5Z starting\n2026-03-01T11:59:01Z error: no pool\n"
    read = await use(connect(), "cluster_logs", name="checkout")
    assert "hunter2" not in read.text
    assert read.text.index("FATAL") < read.text.index("no pool")
    lines = (await connect().read_logs(DAY, ["checkout"])).lines
    assert [line.text for line in lines] == [
        "FATAL: password=[redacted:password] refused",
        "starting",
        "error: no pool",
    ]
    assert lines[0].service == "checkout"
    assert lines[0].time.microsecond == 123456


async def test_rollouts_are_changes_with_images_and_a_diff(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    broken_rollout(cluster)
    connector = connect()
    (change,) = (await connector.read_changes(DAY)).changes
    assert (change.service, f"{change.at:%H:%M}") == ("checkout", "11:50")
    assert change.summary == "image of main: shop/checkout:1.2 -> shop/checkout:1.3 (revision 2)"
    diff = await connector.read_diff("checkout", change.previous_version or "", change.version or "")
    assert "-  - image: shop/checkout:1.2\n+  - image: shop/checkout:1.3" in diff.text
    assert diff.whole
    shown = await use(connector, "cluster_rollouts", service="checkout")
    assert [type(row) for row in shown.rows] == [Searched, Changed]
    with pytest.raises(BadArguments, match="keeps no rollout"):
        await connector.read_diff("checkout", "aaaaaaaaaa", change.version or "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("shop/checkout:1f3c9ab", "shop/checkout:2f3c9ab", ("1f3c9ab", "2f3c9ab")),
        ("host:5000/checkout:main-1f3c9ab", "host:5000/checkout:v2-g2f3c9ab@sha256:aa", ("1f3c9ab", "2f3c9ab")),
        ("shop/checkout:1.2", "shop/checkout:2f3c9ab", ("", "2f3c9ab")),
        ("shop/checkout:1f3c9ab", "shop/checkout:1.3", ("", "")),
        ("shop/checkout", "host:5000/checkout", ("", "")),
    ],
)
async def test_a_rollout_tells_the_commits_that_the_tags_of_its_images_name(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes], old: str, new: str, told: tuple[str, str]
) -> None:
    deploy(cluster, deployment("checkout", old), "2026-02-20T10:00:00Z")
    deploy(cluster, deployment("checkout", new), "2026-03-01T11:50:00Z")
    (change,) = (await connect().read_changes(DAY)).changes
    assert (change.previous_commit, change.commit) == told


async def test_a_rollout_is_blamed_where_its_pods_and_no_others_became_unready_after_it(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    old = deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
    before = pod(old, "ooooo", **waiting("CrashLoopBackOff"))
    sick = pod(
        deploy(cluster, deployment("checkout", "shop/checkout:1.3"), "2026-03-01T11:45:00Z"),
        **waiting("ErrImagePull"),
    )
    cluster.add("pods", sick)

    async def told() -> Changed:
        (row,) = [
            r for r in (await use(connect(), "cluster_rollouts", service="checkout")).rows if isinstance(r, Changed)
        ]
        return row

    blamed = await told()
    assert (blamed.precedes_onset, blamed.reaches_symptom, blamed.before_onset_s) == (True, True, 300.0)
    cluster.add("pods", before)
    assert (await told()).precedes_onset is None
    del cluster.objects["pods"]["shop", before["metadata"]["name"]]
    sick["status"]["conditions"][0]["lastTransitionTime"] = "2026-03-01T11:30:00Z"
    assert (await told()).precedes_onset is None


@pytest.mark.parametrize(
    ("rolled", "died", "before_onset_s"),
    [
        ("2026-03-01T11:45:00Z", "2026-03-01T11:58:00Z", 780.0),
        ("2026-03-01T10:00:00Z", "2026-03-01T11:58:00Z", None),
        ("2026-03-01T11:15:00Z", "2026-03-01T11:20:00Z", None),
    ],
)
async def test_a_rollout_is_blamed_for_pods_that_die_and_are_started_again_soon_after_it(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes], rolled: str, died: str, before_onset_s: float | None
) -> None:
    """The second ran well for long, the third died once and has been well since."""
    deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
    new = deploy(cluster, deployment("checkout", "shop/checkout:1.3"), rolled)
    again = pod(new, restartCount=2, lastState=ended(1, at=died), ready=True)
    again["status"]["conditions"][0]["status"] = "True"
    cluster.add("pods", again)
    shown = await use(connect(), "cluster_rollouts", service="checkout")
    row = next(one for one in shown.rows if isinstance(one, Changed))
    assert row.before_onset_s == before_onset_s


async def test_a_rollout_that_was_taken_back_is_dated_by_its_event_or_not_at_all(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    for image, at in (
        ("1.2", "2026-03-01T10:00:00Z"),
        ("1.3", "2026-03-01T11:50:00Z"),
        ("1.2", "2026-03-01T11:55:00Z"),
    ):
        of = deploy(cluster, deployment("checkout", f"shop/checkout:{image}"), at)
    read = await connect().read_changes(DAY)
    assert [change.summary for change in read.changes] == [
        "image of main: shop/checkout:1.2 -> shop/checkout:1.3 (revision 2)"
    ] or [c.summary[:12] for c in read.changes] == ["rolled out s"]
    assert read.gaps == ("Kubernetes: when revision 3 of checkout came back is not kept",)
    back = next(name for (_, name), one in cluster.objects["replicasets"].items() if one["spec"]["replicas"])
    told = event("Deployment", of["metadata"]["name"], "ScalingReplicaSet", f"Scaled up replica set {back} from 0 to 2")
    cluster.add("events", told)
    read = await connect().read_changes(DAY)
    assert read.gaps == ()
    assert read.changes[-1].summary == "image of main: shop/checkout:1.3 -> shop/checkout:1.2 (revision 3)"


async def test_a_manifest_holds_its_service_and_no_secret(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    env = [{"name": "DB_HOST", "value": "ledger"}, {"name": "DB_PASSWORD", "value": "hunter2secret"}]
    deploy(cluster, deployment("shop-checkout", "shop/checkout:1.3", env=env), "2026-03-01T11:50:00Z")
    cluster.add("services", service("shop-checkout"), service("other"))
    shown = await use(connect(), "cluster_manifest", name="checkout")
    assert "value: ledger" in shown.text
    assert "hunter2" not in shown.text
    assert shown.text.count("kind:") == 2
    assert "other" not in shown.text


async def test_services_are_discovered_with_what_else_they_are_called(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    deploy(cluster, deployment("shop-checkout", "shop/checkout:1.3"), "2026-03-01T11:50:00Z")
    cluster.get("deployments", "shop", "shop-checkout")["metadata"]["labels"]["app.kubernetes.io/name"] = "till"
    (found,) = (await connect().discover()).services
    assert (found.name, found.aliases) == ("shop-checkout", ("pod:shop-checkout-*", "app:till"))
    cluster.rules = rules(without=("deployments:list", "statefulsets:list", "daemonsets:list"))
    with pytest.raises(NeedsReauthorisation, match="may not read deployments in namespace shop"):
        await connect().discover()


async def test_a_check_tells_each_right_that_is_missing_and_an_empty_namespace(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    broken_rollout(cluster)
    assert await connect().check() == Check(
        ok=True, answers=True, detail="Kubernetes answers, namespace shop can be read", has_data=True
    )
    cluster.rules = rules(without=("pods/log:get", "nodes:list"))
    lacking = await connect(namespaces=("shop", "void")).check()
    assert lacking.usable
    assert "nodes:list: nodes that are not ready are not known" in lacking.lacks
    assert "pods/log:get in shop, void: logs are not known" in lacking.lacks
    assert "as in role.yaml" in lacking.next_action
    cluster.rules = [*rules(), *rules(namespace="void")]
    empty = await connect(namespaces=("shop", "void")).check()
    assert empty.lacks == ("namespace void: nothing runs there, or there is no such namespace",)
    cluster.rules = []
    blind = await connect().check()
    assert not blind.usable
    assert "neither pods nor deployments" in blind.detail
    refused = await connect(token="another-token").check()
    assert not refused.usable
    assert "does not accept the token (401)" in refused.detail


async def test_further_pages_are_read_and_an_expired_one_begins_again(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    of = deploy(cluster, deployment("checkout", "shop/checkout:1.3"), "2026-03-01T11:50:00Z")
    cluster.add("pods", *(pod(of, f"n{number:04}") for number in range(PAGE + 20)))
    cluster.forget_pages = 1
    listed = await use(connect(), "cluster_list", kind="pods", columns="wide")
    assert f"({PAGE + 20} more, nothing unusual" in listed.text
    assert len([path for path in cluster.paths() if path.endswith("/pods")]) == 4
    cluster.forget_pages = 2
    with pytest.raises(Unavailable, match="changed faster than it could be read"):
        await use(connect(), "cluster_list", kind="pods")


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        ((401, {}, status(401, "Unauthorized", "Unauthorized")), NeedsReauthorisation, "does not accept the token"),
        ((403, {}, status(403, "Forbidden", "no")), NeedsReauthorisation, "may not read pods in namespace shop"),
        ((404, {}, status(404, "NotFound", "no")), BadArguments, "knows no pods in namespace shop"),
        ((500, {}, status(500, "InternalError", "no")), Unavailable, "answered 500"),
        ((429, {"retry-after": "1"}, status(429, "TooManyRequests", "wait")), Unavailable, "answered 429"),
        ((200, {}, "malformed"), Unavailable, "not JSON"),
        ((200, {}, {"kind": "PodList", "items": "malformed"}), Unavailable, "form that it does not document"),
        ((200, {}, {"metadata": {}, "items": [{"malformed": 1}]}), Unavailable, "form that it does not document"),
        ((302, {"location": "http://169.254.169.254/"}, "malformed"), Unavailable, "redirects are not followed"),
    ],
)
async def test_each_refusal_is_said_in_words_and_is_never_an_absence(
    cluster: FakeKubernetes,
    connect: Callable[..., Kubernetes],
    answer: tuple[int, dict[str, str], Any],
    kind: type[AgentError],
    told: str,
) -> None:
    cluster.tell("/api/v1/namespaces/shop/pods", answer, answer, answer)
    with pytest.raises(kind, match=told):
        await use(connect(), "cluster_list", kind="pods")


async def test_what_is_asked_too_fast_is_asked_again_after_the_time_that_was_told(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    broken_rollout(cluster)
    cluster.tell("/api/v1/namespaces/shop/pods", (429, {"retry-after": "1"}, status(429, "TooManyRequests", "wait")))
    assert "ImagePullBackOff" in (await use(connect(), "cluster_list", kind="pods")).text


async def test_what_may_not_be_read_or_is_empty_is_a_gap(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    name = broken_rollout(cluster)
    cluster.rules = rules(without=("events:list", "pods/log:get"))
    described = await use(connect(), "cluster_describe", kind="pods", name=name)
    assert described.gap is not None
    assert "may not read events in namespace shop (403)" in described.gap
    read = await connect().read_logs(DAY, ["checkout"])
    assert not read.lines
    assert read.gaps == (f"Kubernetes: this account may not read logs of pod {name} (403); a Role must permit it",)
    cluster.objects["pods"].clear()
    empty = await use(connect(), "cluster_list", kind="pods")
    assert empty.gap == "Kubernetes: no pods in namespace shop: is it the right one?"
    cluster.rules = []
    with pytest.raises(NeedsReauthorisation):
        await connect().read_changes(DAY)
    with pytest.raises(Unavailable):
        await connect().read_logs(DAY)


async def test_several_namespaces_are_named_in_each_call_and_no_other_is_read(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    cluster.rules = [*rules(), *rules(namespace="pay")]
    broken_rollout(cluster)
    connector = connect(namespaces=("shop", "pay"), label="prod")
    tool = next(one for one in connector.tools() if one.name == "cluster_list")
    assert tool.schema()["input_schema"]["properties"]["namespace"]["enum"] == ["shop", "pay"]
    assert "ImagePullBackOff" in (await use(connector, "cluster_list", kind="pods")).text
    other = await use(connector, "cluster_list", kind="pods", namespace="pay")
    assert other.text.startswith("No resources found in pay namespace")
    with pytest.raises(BadArguments):
        await use(connector, "cluster_list", kind="pods", namespace="kube-system")
    with pytest.raises(BadArguments, match="no name of an object"):
        await use(connector, "cluster_describe", kind="pods", name="../../secrets/token")


def test_the_shipped_role_permits_what_is_asked_for_and_no_more() -> None:
    documents = list(yaml.safe_load_all(ROLE.read_text()))
    permits = {
        (name, group, resource, verb)
        for one in documents
        if one["kind"] == "ClusterRole"
        for name in [one["metadata"]["name"]]
        for rule in one["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert permits == {
        (
            "autoheal-actions" if right.action else "autoheal-cluster" if right.cluster else "autoheal-namespace",
            right.group,
            f"{right.resource}/{right.subresource}" if right.subresource else right.resource,
            right.verb,
        )
        for right in RIGHTS
    }


async def test_everything_is_answered_with_the_shipped_rights_alone(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    """The local server refuses what no rule permits, so a right that is missing in the Role fails here."""
    name = broken_rollout(cluster)
    cluster.add("pods", pending(cluster.get("deployments", "shop", "checkout")))
    cluster.add("services", service("checkout"))
    cluster.add("nodes", node())
    connector = connect()
    await connector.check()
    await connector.discover()
    await connector.read_changes(DAY)
    await connector.read_logs(DAY)
    for kind, described in (("pods", name), ("deployments", "checkout"), ("services", "checkout"), ("nodes", "node-a")):
        await use(connector, "cluster_list", kind=kind)
        await use(connector, "cluster_describe", kind=kind, name=described)
    assert [code for _, code, _ in cluster.given if code == 403] == []


def test_the_form_asks_what_is_needed_and_a_file_alone_may_name_files() -> None:
    form = Kubernetes.form
    given = {"api": "https://k8s.example.com:6443", "namespaces": "shop\npay"}
    filled = read_form(form, KubernetesConfig, given, {"token": Secret("some-token")})
    assert filled.config["namespaces"] == ["shop", "pay"]
    with pytest.raises(FormError, match="does not look right"):
        read_form(form, KubernetesConfig, {**given, "api": "http://k8s.example.com"}, {"token": Secret("some-token")})
    with pytest.raises(FormError, match="kubeconfig is not asked for here"):
        read_form(form, KubernetesConfig, {**given, "kubeconfig": "/root/.kube/config"}, {"token": Secret("x" * 8)})
    context = ConnectorContext(services=(), outbound=Outbound(LOOPBACK), now=lambda: NOW, label="prod")
    for config in (KubernetesConfig(in_cluster=True), KubernetesConfig(kubeconfig=Path("/root/.kube/config"))):
        with pytest.raises(BadArguments, match="operator's file only"):
            Kubernetes(config, context)


async def test_a_cluster_is_reached_at_permitted_addresses_and_under_its_own_authority_only(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes]
) -> None:
    context = ConnectorContext(
        services=(), outbound=Outbound(LOOPBACK), now=lambda: NOW, credentials={"token": Secret("some-token")}
    )
    stranger = Kubernetes(KubernetesConfig(api=cluster.url, namespaces=("shop",)), context)
    with pytest.raises(Unavailable, match=r"is not trusted .* give the CA certificate"):
        await stranger.discover()
    assert Kubernetes.hosts(stranger.config) == ("localhost",)
    for host in ("https://10.0.0.1:6443", "https://169.254.169.254", "https://[64:ff9b::a9fe:a9fe]"):
        config = KubernetesConfig(api=host, namespaces=("shop",), certificate_authority=cluster.authority)
        with pytest.raises(NotPermitted):
            await Kubernetes(config, context).discover()
    assert cluster.asked == []


async def test_a_kubeconfig_is_read_without_running_anything(
    cluster: FakeKubernetes, connect: Callable[..., Kubernetes], tmp_path: Path
) -> None:
    broken_rollout(cluster)
    file = kubeconfig(cluster, tmp_path)
    connector = connect(api=None, namespaces=(), kubeconfig=file)
    assert connector.namespaces == ("shop",)
    assert (await connector.check()).ok
    document = yaml.safe_load(file.read_text())
    document["users"][0]["user"] = {"exec": {"command": "aws"}}
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(BadArguments, match="programs that it names are not run"):
        connect(api=None, kubeconfig=file)
    with pytest.raises(BadArguments, match="has no context called 'other'"):
        connect(api=None, kubeconfig=file, context="other")


def kubeconfig(cluster: FakeKubernetes, folder: Path) -> Path:
    authority = folder / "authority.pem"
    authority.write_text(cluster.authority)
    file = folder / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "local",
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "me", "namespace": "shop"}}],
        "clusters": [{"name": "local", "cluster": {"server": cluster.url, "certificate-authority": "authority.pem"}}],
        "users": [{"name": "me", "user": {"token": cluster.token}}],
    }
    file.write_text(yaml.safe_dump(document))
    return file


def test_what_it_is_to_the_rest_of_the_house(connect: Callable[..., Kubernetes]) -> None:
    connector = connect()
    assert discover_connectors()["kubernetes"] is Kubernetes
    assert isinstance(connector, ChangeSource)
    assert isinstance(connector, LogSource)
    assert isinstance(connector, Discovers)
