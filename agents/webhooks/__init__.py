"""What other systems send by themselves: webhooks, verified and brought into one form. Pure; one file a provider."""

from agents.webhooks.contract import Change, Kind, Normalised, Part, Provider, Refusal, Severity, Status, Verified
from agents.webhooks.registry import discover_providers, provider

__all__ = [
    "Change",
    "Kind",
    "Normalised",
    "Part",
    "Provider",
    "Refusal",
    "Severity",
    "Status",
    "Verified",
    "discover_providers",
    "provider",
]
