"""What a resource of the JSON API is: one file under `api/`, found by its `RESOURCE` name.

An operation declares who may call it: a permission, or `PUBLIC` for the few that make or need no caller. The guard in
`handlers/web/api_guard.py` checks it before the body is read, so no operation can forget to, and one without cannot
exist.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from agents.connecting.connecting import Connecting
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.toolbox import ToolboxFor
from agents.permission import Permission, Person, Sees
from handlers.web import api
from store.audit.event_days import EventDays
from store.database.session import Database
from store.people.account_keys import AccountKeys
from store.people.passwords import Passwords
from store.people.sign_in import Origin, SignIn

PUBLIC: Final = "public"


@dataclass(frozen=True, kw_only=True)
class ApiContext:
    """Everything a resource may use; joined once in `bot/assemble.py`. `public_url` has no slash at its end; `sees`
    says what somebody may be shown of what was said in channels.
    """

    db: Database
    days: EventDays
    keys: AccountKeys
    passwords: Passwords
    sign_in: SignIn
    disconnecting: Disconnecting
    connecting: Connecting
    toolbox_for: ToolboxFor
    sees: Sees
    public_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """One request. `caller` is None for a public operation. A browser has a `session_id`, a program a `token_id`."""

    origin: Origin
    caller: Person | None = None
    session_id: str | None = None
    token_id: str | None = None

    @property
    def person(self) -> Person:
        if self.caller is None:
            raise RuntimeError("a public operation has no person")
        return self.caller

    @property
    def source(self) -> Literal["web", "api"]:
        """The first word of audited actions."""
        return "api" if self.token_id else "web"


class Problem(Exception):
    """A refusal that the caller is told: a status, a closed word, a sentence. Never holds what the caller sent."""

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


class Missing(Problem):
    """An id that names nothing in the caller's organisation, whether it names something elsewhere or not."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "There is no such thing in your organisation.")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`in_browser_only`: a token may not, because it would make itself more than it is. All changes of people are."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    access: Permission | Literal["public"]
    run: Callable[..., Awaitable[Any]]
    answer: Any = None
    status: int = 200
    in_browser_only: bool = False

    def __post_init__(self) -> None:
        """Raises TypeError for an operation that does not say who may, or lets a program change people."""
        if self.access != PUBLIC and not isinstance(self.access, Permission):
            raise TypeError(f"{self.method} {self.path} must declare a Permission or PUBLIC")
        if self.access == Permission.MANAGE_PEOPLE and self.method != "GET" and not self.in_browser_only:
            raise TypeError(f"{self.method} {self.path} changes people, so it is for somebody who signed in")


@dataclass(frozen=True, kw_only=True)
class Resource:
    name: str
    operations: tuple[Operation, ...]


class Body(BaseModel):
    """Base of what callers send: nothing that is not asked for, so that no one sets a tenant or an id along the way."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Done(BaseModel):
    """It is done."""

    done: Literal[True] = True


@cache
def discover_resources() -> dict[str, Resource]:
    """All resources by name. Raises TypeError for a module without `RESOURCE` or with a foreign name."""
    found: dict[str, Resource] = {}
    for module_info in pkgutil.iter_modules(api.__path__):
        module = importlib.import_module(f"{api.__name__}.{module_info.name}")
        resource: Resource | None = getattr(module, "RESOURCE", None)
        if resource is None or resource.name != module_info.name:
            raise TypeError(f"{module.__name__} must set RESOURCE to a Resource named {module_info.name!r}")
        found[resource.name] = resource
    return found


def _call(request: Request) -> ApiCall:
    call: ApiCall = request.state.call
    return call


def _context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context


Call = Annotated[ApiCall, Depends(_call)]
Context = Annotated[ApiContext, Depends(_context)]
