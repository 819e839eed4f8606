"""What the API server answers, as far as it is used. Field names: https://kubernetes.io/docs/reference/kubernetes-api/"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from agents.errors import Unavailable

M = TypeVar("M", bound=BaseModel)
Labels = Mapping[str, str]
IntOrString = int | str


class _Answer(BaseModel):
    """Unknown fields are left out; a field that is null is one that is absent, as Go writes empty lists."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, given: Any) -> Any:
        return {k: v for k, v in given.items() if v is not None} if isinstance(given, dict) else given


class OwnerReference(_Answer):
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Meta(_Answer):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    owner_references: tuple[OwnerReference, ...] = ()

    @property
    def owner(self) -> OwnerReference | None:
        return next((one for one in self.owner_references if one.controller), None)


class Object(_Answer):
    metadata: Meta

    @property
    def name(self) -> str:
        return self.metadata.name


class Handler(_Answer):
    """Of a probe: one of its ways is set."""

    http_get: Mapping[str, Any] | None = None
    tcp_socket: Mapping[str, Any] | None = None
    grpc: Mapping[str, Any] | None = None
    exec: Mapping[str, Any] | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3


class Port(_Answer):
    name: str = ""
    container_port: int = 0
    protocol: str = "TCP"


class Resources(_Answer):
    limits: Mapping[str, IntOrString] = Field(default_factory=dict)
    requests: Mapping[str, IntOrString] = Field(default_factory=dict)


class Container(_Answer):
    name: str
    image: str = ""
    ports: tuple[Port, ...] = ()
    resources: Resources = Resources()
    liveness_probe: Handler | None = None
    readiness_probe: Handler | None = None
    startup_probe: Handler | None = None


class Volume(_Answer):
    name: str
    persistent_volume_claim: Mapping[str, Any] | None = None


class PodSpec(_Answer):
    node_name: str = ""
    node_selector: Labels = Field(default_factory=dict)
    service_account_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()


class Waiting(_Answer):
    reason: str = ""
    message: str = ""


class Running(_Answer):
    started_at: datetime | None = None


class Terminated(_Answer):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class ContainerState(_Answer):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Answer):
    name: str
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class Condition(_Answer):
    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    last_update_time: datetime | None = None


class PodStatus(_Answer):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = Field(default="", alias="podIP")
    start_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object):
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Selector(_Answer):
    match_labels: Labels = Field(default_factory=dict)
    match_expressions: tuple[Mapping[str, Any], ...] = ()


class TemplateMeta(_Answer):
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)


class PodTemplate(_Answer):
    metadata: TemplateMeta = TemplateMeta()
    spec: PodSpec = PodSpec()


class WorkloadSpec(_Answer):
    replicas: int = 1
    paused: bool = False
    selector: Selector = Selector()
    template: PodTemplate = PodTemplate()


class WorkloadStatus(_Answer):
    """Of a Deployment, ReplicaSet, StatefulSet or DaemonSet, whose fields of the same meaning have other names."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    updated_number_scheduled: int = 0
    conditions: tuple[Condition, ...] = ()


class Workload(Object):
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class Reference(_Answer):
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class Source(_Answer):
    component: str = ""


class EventSeries(_Answer):
    count: int = 0
    last_observed_time: datetime | None = None


class Event(Object):
    involved_object: Reference = Reference()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int = 0
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: EventSeries | None = None
    source: Source = Source()
    reporting_component: str = ""

    @property
    def first(self) -> datetime | None:
        return self.first_timestamp or self.event_time or self.metadata.creation_timestamp

    @property
    def last(self) -> datetime | None:
        return (self.series and self.series.last_observed_time) or self.last_timestamp or self.first

    @property
    def times(self) -> int:
        return max(self.series.count if self.series else 0, self.count, 1)


class NodeSpec(_Answer):
    unschedulable: bool = False
    taints: tuple[Mapping[str, Any], ...] = ()


class NodeInfo(_Answer):
    kubelet_version: str = ""


class NodeStatus(_Answer):
    conditions: tuple[Condition, ...] = ()
    node_info: NodeInfo = NodeInfo()
    allocatable: Mapping[str, IntOrString] = Field(default_factory=dict)


class Node(Object):
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServicePort(_Answer):
    name: str = ""
    port: int = 0
    node_port: int = 0
    protocol: str = "TCP"
    target_port: IntOrString = 0


class ServiceSpec(_Answer):
    type: str = "ClusterIP"
    cluster_ip: str = Field(default="", alias="clusterIP")
    selector: Labels = Field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()


class KubernetesService(Object):
    spec: ServiceSpec = ServiceSpec()


class EndpointConditions(_Answer):
    ready: bool = True  # also where it is not said


class Endpoint(_Answer):
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()


class EndpointPort(_Answer):
    port: int = 0


class EndpointSlice(Object):
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class QuotaStatus(_Answer):
    hard: Mapping[str, IntOrString] = Field(default_factory=dict)
    used: Mapping[str, IntOrString] = Field(default_factory=dict)


class Quota(Object):
    status: QuotaStatus = QuotaStatus()


class PolicySpec(_Answer):
    pod_selector: Selector = Selector()


class NetworkPolicy(Object):
    spec: PolicySpec = PolicySpec()


class ClaimSpec(_Answer):
    volume_name: str = ""
    storage_class_name: str = ""
    access_modes: tuple[str, ...] = ()


class ClaimStatus(_Answer):
    phase: str = ""
    capacity: Mapping[str, IntOrString] = Field(default_factory=dict)


class PersistentVolumeClaim(Object):
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class VolumeSpec(_Answer):
    capacity: Mapping[str, IntOrString] = Field(default_factory=dict)
    access_modes: tuple[str, ...] = ()
    persistent_volume_reclaim_policy: str = ""
    storage_class_name: str = ""
    claim_ref: Reference | None = None


class VolumeStatus(_Answer):
    phase: str = ""


class PersistentVolume(Object):
    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()


def several(model: type[M], documents: Sequence[Any], what: str) -> list[M]:
    """Raises Unavailable for a form that is not documented."""
    return [one(model, document, what) for document in documents]


def one(model: type[M], document: Any, what: str) -> M:
    """Raises Unavailable for a form that is not documented."""
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        raise Unavailable(f"the cluster answered {what} in a form that it does not document") from exc
