"""Operator's files without a file: what tests permit and declare."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from agents.connecting.connector import Service
from agents.connecting.operator_file import OperatorFile
from agents.connecting.outbound import EgressPolicy


def permitting_loopback(services: Sequence[Service] = ()) -> OperatorFile:
    """Every stored connection of its tenant may reach this machine; nothing else is connected."""
    return OperatorFile(
        path=Path("autoheal.toml"),
        tenant="default",
        services=tuple(services),
        egress=EgressPolicy(),
        sections=(),
        connection_networks={"*": (ipaddress.ip_network("127.0.0.0/8"),)},
    )
