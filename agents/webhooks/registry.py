"""Finds the providers: one file each under `providers/`, with `PROVIDER`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from agents.webhooks import providers
from agents.webhooks.contract import Provider


@cache
def discover_providers() -> dict[str, Provider]:
    """All by name. Raises TypeError for a module without `PROVIDER` or with a foreign name."""
    found: dict[str, Provider] = {}
    for module_info in pkgutil.iter_modules(providers.__path__):
        module = importlib.import_module(f"{providers.__name__}.{module_info.name}")
        one: Provider | None = getattr(module, "PROVIDER", None)
        if one is None or one.name != module_info.name:
            raise TypeError(f"{module.__name__} must set PROVIDER to a Provider named {module_info.name!r}")
        found[one.name] = one
    return found


def provider(name: str) -> Provider | None:
    return discover_providers().get(name)
