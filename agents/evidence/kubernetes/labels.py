"""The closed list of root causes, each with a plain sentence."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Label(StrEnum):
    """Where the fault is, not where it shows."""

    NAMESPACE_CPU_QUOTA_EXCEEDED = "namespace_cpu_quota_exceeded"
    NAMESPACE_MEMORY_QUOTA_EXCEEDED = "namespace_memory_quota_exceeded"
    NAMESPACE_POD_QUOTA_EXCEEDED = "namespace_pod_quota_exceeded"
    NAMESPACE_SERVICE_QUOTA_EXCEEDED = "namespace_service_quota_exceeded"
    NAMESPACE_STORAGE_QUOTA_EXCEEDED = "namespace_storage_quota_exceeded"
    MISSING_SERVICE_ACCOUNT = "missing_service_account"
    CPU_CAPACITY_MISMATCH = "cpu_capacity_mismatch"
    MEMORY_CAPACITY_MISMATCH = "memory_capacity_mismatch"
    NODE_AFFINITY_MISMATCH = "node_affinity_mismatch"
    NODE_SELECTOR_MISMATCH = "node_selector_mismatch"
    NODE_CORDON_MISMATCH = "node_cordon_mismatch"
    TAINT_TOLERATION_MISMATCH = "taint_toleration_mismatch"
    POD_ANTI_AFFINITY_CONFLICT = "pod_anti_affinity_conflict"
    PV_BINDING_OCCUPIED = "pv_binding_occupied"
    PVC_ACCESS_MODE_MISMATCH = "pvc_access_mode_mismatch"
    PVC_CAPACITY_MISMATCH = "pvc_capacity_mismatch"
    PVC_SELECTOR_MISMATCH = "pvc_selector_mismatch"
    PVC_STORAGE_CLASS_MISMATCH = "pvc_storage_class_mismatch"
    IMAGE_REGISTRY_DNS_FAILURE = "image_registry_dns_failure"
    INCORRECT_IMAGE_REFERENCE = "incorrect_image_reference"
    MISSING_IMAGE_PULL_SECRET = "missing_image_pull_secret"  # noqa: S105 -- the name of a fault
    MISSING_SECRET_BINDING = "missing_secret_binding"  # noqa: S105 -- the name of a fault
    VOLUME_MOUNT_PERMISSION_DENIED = "volume_mount_permission_denied"
    LIVENESS_PROBE_INCORRECT_PORT = "liveness_probe_incorrect_port"
    LIVENESS_PROBE_INCORRECT_PROTOCOL = "liveness_probe_incorrect_protocol"
    LIVENESS_PROBE_INCORRECT_TIMING = "liveness_probe_incorrect_timing"
    READINESS_PROBE_INCORRECT_PORT = "readiness_probe_incorrect_port"
    READINESS_PROBE_INCORRECT_PROTOCOL = "readiness_probe_incorrect_protocol"
    OOM_KILLED = "oom_killed"
    MYSQL_INVALID_CREDENTIALS = "mysql_invalid_credentials"
    MYSQL_INVALID_PORT = "mysql_invalid_port"
    DB_CONNECTION_EXHAUSTION = "db_connection_exhaustion"
    DB_READ_ONLY = "db_read_only"
    DEPLOYMENT_ZERO_REPLICAS = "deployment_zero_replicas"
    SERVICE_SIDECAR_PORT_CONFLICT = "service_sidecar_port_conflict"
    SERVICE_SELECTOR_MISMATCH = "service_selector_mismatch"
    SERVICE_PORT_MAPPING_MISMATCH = "service_port_mapping_mismatch"
    SERVICE_PROTOCOL_MISMATCH = "service_protocol_mismatch"
    SERVICE_ENV_VAR_ADDRESS_MISMATCH = "service_env_var_address_mismatch"
    SERVICE_DNS_RESOLUTION_FAILURE = "service_dns_resolution_failure"
    GATEWAY_MISROUTE = "gateway_misroute"
    NETWORK_POLICY_BLOCKS = "network_policy_blocks"
    POD_CPU_OVERLOAD = "pod_cpu_overload"
    POD_NETWORK_DELAY = "pod_network_delay"
    NODE_NETWORK_DELAY = "node_network_delay"
    NODE_NETWORK_PACKET_LOSS = "node_network_packet_loss"
    KUBELET_UNAVAILABLE = "kubelet_unavailable"
    CONTAINERD_UNAVAILABLE = "containerd_unavailable"
    KUBE_PROXY_UNAVAILABLE = "kube_proxy_unavailable"
    KUBE_SCHEDULER_UNAVAILABLE = "kube_scheduler_unavailable"
    ROLLOUT_STUCK = "rollout_stuck"
    RESOURCE_CAPACITY_MISMATCH = "resource_capacity_mismatch"
    CRASH_LOOP = "crash_loop"
    NOT_READY = "not_ready"


MEANING: Final[Mapping[Label, str]] = {
    Label.NAMESPACE_CPU_QUOTA_EXCEEDED: "the namespace's CPU quota is used up",
    Label.NAMESPACE_MEMORY_QUOTA_EXCEEDED: "the namespace's memory quota is used up",
    Label.NAMESPACE_POD_QUOTA_EXCEEDED: "the namespace's pod quota is used up",
    Label.NAMESPACE_SERVICE_QUOTA_EXCEEDED: "the namespace's service quota is used up",
    Label.NAMESPACE_STORAGE_QUOTA_EXCEEDED: "the namespace's storage quota is used up",
    Label.MISSING_SERVICE_ACCOUNT: "its service account does not exist",
    Label.CPU_CAPACITY_MISMATCH: "no node has enough free CPU for its request (unschedulable)",
    Label.MEMORY_CAPACITY_MISMATCH: "no node has enough free memory for its request (unschedulable)",
    Label.NODE_AFFINITY_MISMATCH: "no node satisfies its node affinity",
    Label.NODE_SELECTOR_MISMATCH: "no node carries the labels of its node selector",
    Label.NODE_CORDON_MISMATCH: "the nodes it could run on are cordoned",
    Label.TAINT_TOLERATION_MISMATCH: "it does not tolerate the taint of the nodes",
    Label.POD_ANTI_AFFINITY_CONFLICT: "its pod anti-affinity cannot be met",
    Label.PV_BINDING_OCCUPIED: "the persistent volume it needs is bound to another claim",
    Label.PVC_ACCESS_MODE_MISMATCH: "its claim asks for an access mode that no volume offers",
    Label.PVC_CAPACITY_MISMATCH: "its claim asks for more capacity than any volume offers",
    Label.PVC_SELECTOR_MISMATCH: "its claim's selector matches the labels of no volume",
    Label.PVC_STORAGE_CLASS_MISMATCH: "its claim (PVC) names a storage class that does not fit",
    Label.IMAGE_REGISTRY_DNS_FAILURE: "the image registry's name does not resolve (DNS)",
    Label.INCORRECT_IMAGE_REFERENCE: "its image reference (name or tag) does not exist",
    Label.MISSING_IMAGE_PULL_SECRET: "the image pull secret is missing or refused",
    Label.MISSING_SECRET_BINDING: "a Secret or ConfigMap it refers to does not exist",
    Label.VOLUME_MOUNT_PERMISSION_DENIED: "it has no permission on its mounted volume",
    Label.LIVENESS_PROBE_INCORRECT_PORT: "its liveness probe checks the wrong port",
    Label.LIVENESS_PROBE_INCORRECT_PROTOCOL: "its liveness probe uses the wrong protocol",
    Label.LIVENESS_PROBE_INCORRECT_TIMING: "its liveness probe's timing is too tight",
    Label.READINESS_PROBE_INCORRECT_PORT: "its readiness probe checks the wrong port",
    Label.READINESS_PROBE_INCORRECT_PROTOCOL: "its readiness probe uses the wrong protocol",
    Label.OOM_KILLED: "its container is killed for exceeding the memory limit (OOM)",
    Label.MYSQL_INVALID_CREDENTIALS: "it logs in to MySQL with wrong credentials (access denied)",
    Label.MYSQL_INVALID_PORT: "it connects to MySQL on the wrong port",
    Label.DB_CONNECTION_EXHAUSTION: "the database has no connection left (too many connections)",
    Label.DB_READ_ONLY: "the database is read-only",
    Label.DEPLOYMENT_ZERO_REPLICAS: "its Deployment is scaled to zero replicas",
    Label.SERVICE_SIDECAR_PORT_CONFLICT: "a sidecar already listens on its port (port conflict)",
    Label.SERVICE_SELECTOR_MISMATCH: "its Service's selector matches no pod",
    Label.SERVICE_PORT_MAPPING_MISMATCH: "its Service's target port is not the port it listens on",
    Label.SERVICE_PROTOCOL_MISMATCH: "its Service declares the wrong protocol",
    Label.SERVICE_ENV_VAR_ADDRESS_MISMATCH: "an environment variable of it holds an address that no Service has",
    Label.SERVICE_DNS_RESOLUTION_FAILURE: "it cannot resolve the name of what it calls (DNS)",
    Label.GATEWAY_MISROUTE: "the gateway routes its path to the wrong place",
    Label.NETWORK_POLICY_BLOCKS: "a network policy blocks the traffic to it",
    Label.POD_CPU_OVERLOAD: "its CPU is overloaded",
    Label.POD_NETWORK_DELAY: "the network delay (latency) arises in its pod",
    Label.NODE_NETWORK_DELAY: "the network of the node is delayed (latency)",
    Label.NODE_NETWORK_PACKET_LOSS: "the network of the node loses packets (packet loss)",
    Label.KUBELET_UNAVAILABLE: "the kubelet of the node is down",
    Label.CONTAINERD_UNAVAILABLE: "the container runtime containerd of the node is down",
    Label.KUBE_PROXY_UNAVAILABLE: "kube-proxy on the node is down",
    Label.KUBE_SCHEDULER_UNAVAILABLE: "the kube-scheduler is down",
    Label.ROLLOUT_STUCK: "its rollout is stuck: the new ReplicaSet's pods do not become available",
    Label.RESOURCE_CAPACITY_MISMATCH: "no node has enough of a resource that it requests (insufficient)",
    Label.CRASH_LOOP: "it crashes again and again",
    Label.NOT_READY: "it does not become ready",
}
