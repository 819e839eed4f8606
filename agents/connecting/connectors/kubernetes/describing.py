"""One object with its events, laid out as `kubectl describe` does, as far as rules and readers need it.

Environment variables are left out: their values are where secrets stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from agents.connecting.connectors.kubernetes.answers import (
    Container,
    ContainerState,
    ContainerStatus,
    Event,
    Handler,
    KubernetesService,
    Labels,
    Meta,
    Node,
    PersistentVolumeClaim,
    Pod,
    PodTemplate,
    Workload,
)
from agents.connecting.connectors.kubernetes.listing import NONE, pod_status, times

_REVISION: Final = "deployment.kubernetes.io/revision"
_MOST_EVENTS: Final = 60


def pod(one: Pod, events: Sequence[Event], now: datetime) -> str:
    spec, status = one.spec, one.status
    lines = [
        *_head(one.metadata),
        f"Node:             {spec.node_name or NONE}",
        f"Status:           {pod_status(one)}",
    ]
    lines += [f"Reason:           {status.reason}"] if status.reason else []
    lines += [f"Message:          {_line(status.message)}"] if status.message else []
    owner = one.metadata.owner
    lines += [f"Controlled By:    {owner.kind}/{owner.name}"] if owner else []
    for title, containers, statuses in (
        ("Init Containers", spec.init_containers, status.init_container_statuses),
        ("Containers", spec.containers, status.container_statuses),
    ):
        if containers:
            known = {s.name: s for s in statuses}
            lines += [f"{title}:", *(x for c in containers for x in _container(c, known.get(c.name)))]
    lines += ["Conditions:", "  Type  Status", *(f"  {c.type}  {c.status}" for c in status.conditions)]
    claimed = [v for v in spec.volumes if v.persistent_volume_claim]
    if claimed:
        lines.append("Volumes:")
    for volume in claimed:
        name = (volume.persistent_volume_claim or {}).get("claimName", "")
        lines += [f"  {volume.name}:", f"    ClaimName:  {name}"]
    lines += _pairs("Node-Selectors", spec.node_selector)
    return _text(lines, events, now)


def workload(one: Workload, events: Sequence[Event], now: datetime) -> str:
    """A Deployment, StatefulSet, DaemonSet or ReplicaSet."""
    status = one.status
    wanted = status.desired_number_scheduled or one.spec.replicas
    counts = (
        (wanted, "desired"),
        (status.updated_replicas or status.updated_number_scheduled, "updated"),
        (status.replicas or status.current_number_scheduled, "total"),
        (status.available_replicas or status.number_available, "available"),
    )
    lines = [*_head(one.metadata), *_pairs("Selector", one.spec.selector.match_labels)]
    lines.append(f"Replicas:         {' | '.join(f'{count} {what}' for count, what in counts)}")
    if revision := one.metadata.annotations.get(_REVISION):
        lines.append(f"Revision:         {revision}")
    if one.spec.paused:
        lines.append("Paused:           True")
    lines += _template(one.spec.template)
    if status.conditions:
        lines += ["Conditions:", "  Type  Status  Reason"]
        lines += [f"  {c.type}  {c.status}  {c.reason}  {_line(c.message)}".rstrip() for c in status.conditions]
    return _text(lines, events, now)


def service(one: KubernetesService, endpoints: str, events: Sequence[Event], now: datetime) -> str:
    lines = [*_head(one.metadata), *_pairs("Selector", one.spec.selector), f"Type:             {one.spec.type}"]
    for port in one.spec.ports:
        lines += [
            f"Port:             {port.name or '<unset>'}  {port.port}/{port.protocol}",
            f"TargetPort:       {port.target_port or port.port}/{port.protocol}",
        ]
    return _text([*lines, f"Endpoints:        {endpoints or NONE}"], events, now)


def claim(one: PersistentVolumeClaim, events: Sequence[Event], now: datetime) -> str:
    lines = [
        *_head(one.metadata),
        f"StorageClass:     {one.spec.storage_class_name}",
        f"Status:           {one.status.phase}",
        f"Volume:           {one.spec.volume_name}",
        f"Access Modes:     {', '.join(one.spec.access_modes)}",
    ]
    return _text(lines, events, now)


def node(one: Node, events: Sequence[Event], now: datetime) -> str:
    lines = [*_head(one.metadata), f"Unschedulable:    {str(one.spec.unschedulable).lower()}"]
    taints = (f"{t.get('key')}={t.get('value', '')}:{t.get('effect')}" for t in one.spec.taints)
    lines += [f"Taints:           {', '.join(taints) or NONE}", "Node Conditions:"]
    lines += [f"  {c.type}  {c.status}  {c.reason}  {_line(c.message)}" for c in one.status.conditions]
    lines += ["Allocatable:", *(f"  {name}:  {value}" for name, value in sorted(one.status.allocatable.items()))]
    return _text(lines, events, now)


def _text(lines: Iterable[str], events: Sequence[Event], now: datetime) -> str:
    return "\n".join([*lines, *_events(events, now)]) + "\n"


def _head(meta: Meta) -> Iterator[str]:
    yield f"Name:             {meta.name}"
    if meta.namespace:
        yield f"Namespace:        {meta.namespace}"
    yield from _pairs("Labels", meta.labels)


def _pairs(title: str, pairs: Labels, indent: str = "") -> list[str]:
    """The first beside the title, the others under it."""
    first, *rest = [f"{key}={value}" for key, value in sorted(pairs.items())] or [NONE]
    head = f"{indent}{title}:".ljust(18 + len(indent))
    return [f"{head}{first}", *(f"{' ' * len(head)}{one}" for one in rest)]


def _template(template: PodTemplate) -> list[str]:
    lines = ["Pod Template:", *_pairs("Labels", template.metadata.labels, "  ")]
    for title, containers in (
        ("Init Containers", template.spec.init_containers),
        ("Containers", template.spec.containers),
    ):
        if containers:
            lines += [f"  {title}:", *(f"  {line}" for c in containers for line in _container(c, None))]
    return lines


def _container(one: Container, status: ContainerStatus | None) -> Iterator[str]:
    yield f"  {one.name}:"
    yield f"    Image:          {one.image}"
    ports = ", ".join(f"{p.container_port}/{p.protocol}" for p in one.ports)
    yield f"    {'Ports' if len(one.ports) > 1 else 'Port'}:           {ports or NONE}"
    if status is not None:
        yield from _state("State", status.state)
        yield from _state("Last State", status.last_state)
        yield f"    Ready:          {status.ready}"
        yield f"    Restart Count:  {status.restart_count}"
    for title, amounts in (("Limits", one.resources.limits), ("Requests", one.resources.requests)):
        if amounts:
            yield f"    {title}:"
            yield from (f"      {name}:  {value}" for name, value in sorted(amounts.items()))
    for title, probe in (
        ("Liveness", one.liveness_probe),
        ("Readiness", one.readiness_probe),
        ("Startup", one.startup_probe),
    ):
        if probe is not None:
            yield f"    {title}:       {_probe(probe)}"


def _state(title: str, state: ContainerState) -> Iterator[str]:
    if state.waiting is not None:
        yield f"    {title}:          Waiting"
        yield f"      Reason:       {state.waiting.reason}"
        if state.waiting.message:
            yield f"      Message:      {_line(state.waiting.message)}"
    elif state.terminated is not None:
        ended = state.terminated
        yield f"    {title}:          Terminated"
        yield f"      Reason:       {ended.reason}"
        if ended.message:
            yield f"      Message:      {_line(ended.message)}"
        yield f"      Exit Code:    {ended.exit_code}"
        yield f"      Finished:     {ended.finished_at:%a, %d %b %Y %H:%M:%S %z}" if ended.finished_at else ""
    elif state.running is not None:
        yield f"    {title}:          Running"


def _probe(probe: Handler) -> str:
    if probe.http_get is not None:
        scheme = str(probe.http_get.get("scheme") or "HTTP").lower()
        host, port = probe.http_get.get("host", ""), probe.http_get.get("port", "")
        way = f"http-get {scheme}://{host}:{port}{probe.http_get.get('path', '')}"
    elif probe.tcp_socket is not None:
        way = f"tcp-socket {probe.tcp_socket.get('host', '')}:{probe.tcp_socket.get('port', '')}"
    elif probe.grpc is not None:
        way = f"grpc <pod>:{probe.grpc.get('port', '')} {probe.grpc.get('service') or ''}".rstrip()
    else:
        way = "exec" if probe.exec is not None else "unknown"  # its command may hold a secret
    return (
        f"{way} delay={probe.initial_delay_seconds}s timeout={probe.timeout_seconds}s period={probe.period_seconds}s "
        f"#success={probe.success_threshold} #failure={probe.failure_threshold}"
    )


def _events(events: Sequence[Event], now: datetime) -> list[str]:
    if not events:
        return ["Events:  <none>"]
    ordered = sorted(events, key=lambda e: (e.last or now, e.name))[-_MOST_EVENTS:]
    lines = ["Events:", "  Type     Reason            Age                From                Message"]
    lines.append("  ----     ------            ----               ----                -------")
    for one in ordered:
        told_by = one.source.component or one.reporting_component or "unknown"
        lines.append(f"  {one.type}  {one.reason}  {times(one, now)}  {told_by}  {_line(one.message)}")
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())
