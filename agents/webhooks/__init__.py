"""What other systems send by themselves: webhooks, verified and brought into one form. Pure; one file a provider."""

from agents.webhooks.contract import (
    Kind,
    Normalised,
    Part,
    Provider,
    Refusal,
    ReportedChange,
    Severity,
    Status,
    Verified,
)
from agents.webhooks.registry import discover_providers, provider

__all__ = [
    "Kind",
    "Normalised",
    "Part",
    "Provider",
    "Refusal",
    "ReportedChange",
    "Severity",
    "Status",
    "Verified",
    "discover_providers",
    "provider",
]
