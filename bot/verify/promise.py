"""What a check of a promise is: one file under `promises/`, named like the section of the policy that it checks.

First every check plants what it will look for, in synthetic tenants; then each looks at the real deployment. A check
raises `Broken` with a sentence, or returns what it saw. It never says more than it saw.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from bot.verify import promises

if TYPE_CHECKING:
    from bot.verify.site import Site


@dataclass(frozen=True, kw_only=True)
class Proved:
    sentence: str
    observed: tuple[str, ...]
    not_observed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NotApplicable:
    """`setting` names the variable whose value leaves nothing to observe."""

    setting: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class NeedsAttestation:
    """What no program can see here; the operator's statement stands for it, for 90 days."""

    sentence: str


Seen = Proved | NotApplicable | NeedsAttestation


class Promise:
    """Base of all checks; stateless between runs, so what is planted is kept in `site.planted`."""

    id: ClassVar[str]
    title: ClassVar[str]

    async def plant(self, site: Site) -> None:
        """Put in what `check` will look for."""

    async def check(self, site: Site) -> Seen:
        """Raises Broken."""
        raise NotImplementedError


@cache
def discover_promises() -> dict[str, Promise]:
    """All checks by id, in the order of their numbers. Raises TypeError for a module without `PROMISE`."""
    found: dict[str, Promise] = {}
    for module_info in sorted(pkgutil.iter_modules(promises.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{promises.__name__}.{module_info.name}")
        promise: Promise | None = getattr(module, "PROMISE", None)
        if promise is None or not module_info.name.startswith(f"p{int(promise.id[1:]):02d}_"):
            raise TypeError(f"{module.__name__} must set PROMISE to the check of the promise that its name says")
        found[promise.id] = promise
    return found
