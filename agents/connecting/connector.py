"""What a connector is: one vendor, one file under `connectors/`, found by its `CONNECTOR` name.

A connector offers read tools and, by implementing the small protocols below, feeds the evidence engine and carries out
remediations. Nothing here knows any particular connector. Host connectors read this machine's files or run its
programs; they are declared in the operator's file only and never through Slack, the page or the API.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Final, ParamSpec, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from agents.connecting import connectors
from agents.connecting.fields import Form, Scope
from agents.connecting.outbound import Outbound
from agents.english import counted
from agents.errors import BadArguments, Unavailable
from agents.evidence.types import Change, LogLine, RawSeries, Spans, Window
from agents.rows import Altered
from agents.tool import Risk, Tool, ToolOutput, tools_of
from store.secrets.redacted_rows import redact_fields, redact_texts
from store.secrets.redaction import Redacted, RedactionFailed, Redactor, Secret

MARGIN: Final = 16_384
"""Characters behind a cut by which a secret at it is recognised: the longest, a key block, is that long."""
_NAME: Final = "__name__"  # as Prometheus calls it
_LONG: Final = 16_000  # characters from which redacting takes the loop a millisecond

P = ParamSpec("P")
T = TypeVar("T")


class ConnectorConfig(BaseModel):
    """Base of a connector's settings: unknown fields are refused with their name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class Service:
    """One of the team's services, as the operator's file or the catalog has it."""

    name: str
    depends_on: tuple[str, ...] = ()
    environment: str = "production"
    owners: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """What others call it: a name or a pattern with `*`, for all sources or for one kind as in `pod:checkout-*`."""
    repository: str | None = None
    runbook: str | None = None

    def names_for(self, kind: str) -> tuple[str, ...]:
        """Its own name and its aliases among what sources call it by this kind: job, span, pod, repository."""
        parts = (alias.rpartition(":")[::2] for alias in self.aliases)
        return (self.name, *(name for of, name in parts if of in ("", kind) and name))


async def plain_redactor() -> Redactor:
    """Where no tenant is known, as in a test of the settings: public formats only."""
    return Redactor()


class Compute(Protocol):
    """Runs a module-level function off the event loop: in the evidence worker where there is one, so that parsing
    megabytes does not take the interpreter from those who wait for an acknowledgement.
    """

    def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


class RecordKeeper(Protocol):
    """Records that are there again after a restart; a convenience, so nothing of it raises."""

    async def recall(self, name: str) -> list[str]:
        """Under that name, oldest first; what cannot be read is not among them."""

    async def keep(self, name: str, record: Redacted, *, most: int) -> None:
        """Adds one, and forgets the oldest where there are more than twice `most`."""


class ForgetsAll:
    """Where there is no data folder, as in a test of the settings."""

    async def recall(self, _name: str) -> list[str]:
        return []

    async def keep(self, _name: str, _record: Redacted, *, most: int) -> None:
        del most


@dataclass(frozen=True, kw_only=True)
class ConnectorContext:
    """What a connector is given: the services it may speak of, the one way out, its credentials, a clock, where to
    compute, and what it keeps over a restart.
    """

    services: tuple[Service, ...]
    outbound: Outbound
    now: Callable[[], datetime]
    credentials: Mapping[str, Secret] = field(default_factory=dict)
    compute: Compute = asyncio.to_thread
    redactor: Callable[[], Awaitable[Redactor]] = plain_redactor
    kept: RecordKeeper = field(default_factory=ForgetsAll)
    label: str = ""
    """What people call this connection; "" for one of the operator's file."""

    async def clean(self, text: str, *, keep: int | None = None) -> str:
        """Outside text without its secrets: what is read passes here before anything of it is chosen or cut, since
        that parts a secret from the words that name it. With `keep`, what its first characters became; give `MARGIN`
        more than those. Raises Unavailable for a text that could not be judged.
        """
        redactor = await self.redactor()
        given = text if keep is None else text[: keep + MARGIN]
        try:
            if len(given) < _LONG:
                return redact_texts(redactor, [given], keep=keep)[0]
            return (await asyncio.to_thread(redact_texts, redactor, [given], keep=keep))[0]
        except RedactionFailed as exc:
            raise Unavailable("what was read could not be made safe to show, so it was not read") from exc

    async def clean_rows(self, rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
        """Labels and other fields without secrets, as `clean`."""
        redactor = await self.redactor()
        try:
            return await asyncio.to_thread(redact_fields, redactor, rows)
        except RedactionFailed as exc:
            raise Unavailable("what was read could not be made safe to show, so it was not read") from exc

    async def clean_words(self, words: Sequence[str]) -> list[str]:
        """Names, subjects and paths, each on its own, as `clean`."""
        return [row["word"] for row in await self.clean_rows([{"word": word} for word in words])]

    async def clean_series(self, series: Sequence[RawSeries]) -> list[RawSeries]:
        """The same with cleaned names and labels."""
        rows = await self.clean_rows([{**one.labels, _NAME: one.name} for one in series])
        return [replace(one, name=row.pop(_NAME), labels=row) for one, row in zip(series, rows, strict=True)]

    async def portable_redactor(self) -> Redactor:
        """For a job that reads by itself in the evidence worker: it holds no secret, and cleans as `clean` does."""
        return (await self.redactor()).portable()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.services)

    def authorization(self) -> dict[str, str]:
        """The header of HTTP's bearer scheme, from `token`, or of its basic one, from `username` and `password`."""
        secrets = self.credentials
        if "token" in secrets:
            return {"authorization": f"Bearer {secrets['token'].reveal()}"}
        if "username" in secrets and "password" in secrets:
            pair = f"{secrets['username'].reveal()}:{secrets['password'].reveal()}".encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}

    def require_declared(self, names: Iterable[str], *, key: str) -> None:
        """Raises BadArguments naming `key` and what is accepted, for a service that is not declared."""
        unknown = sorted(set(names) - set(self.names))
        if unknown:
            known = ", ".join(self.names) or "none"
            raise BadArguments(f"{key}: {', '.join(unknown)} is not a declared service; declared are: {known}")


@dataclass(frozen=True, kw_only=True)
class Check:
    """Result of testing a connection: `next_action` tells the person what to do when `ok` is false.

    `answers` is true where the vendor answers and the credential is good, though something is left to be done.
    `lacks` says what is lost for now, as without a scope. `has_data` is None where that was not looked at. `changed`
    are sentences on what is not as a person accepted it, and `seen` names the state that they tell of.
    """

    ok: bool
    detail: str
    next_action: str = ""
    answers: bool = False
    lacks: tuple[str, ...] = ()
    has_data: bool | None = None
    changed: tuple[str, ...] = ()
    seen: str = ""

    @property
    def usable(self) -> bool:
        return self.ok or self.answers


@dataclass(frozen=True, kw_only=True)
class Discovered:
    """A service as a vendor names it. `aliases` as in `Service`."""

    name: str
    aliases: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    repository: str | None = None
    environment: str = ""


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What a connection knows of services. `gaps` are sentences on what could not be listed."""

    services: tuple[Discovered, ...]
    gaps: tuple[str, ...] = ()


class Connector:
    """Base of all connectors. Subclasses set the class variables, take `(config, context)` and add `@tool` methods.

    `form` is what people fill in to connect one; host connectors have none, since they are declared in the operator's
    file only. `scopes` are the least rights of the credential. `instructions` are at most ten lines for the model.
    `leaves_behind` says what stays valid at the vendor after a disconnect and what to do about it.
    """

    name: ClassVar[str]
    title: str
    host: ClassVar[bool] = False
    config_model: ClassVar[type[ConnectorConfig]]
    credential_fields: ClassVar[tuple[str, ...]] = ()
    form: ClassVar[Form] = Form()
    docs_url: ClassVar[str] = ""
    about: ClassVar[str] = ""
    scopes: ClassVar[tuple[Scope, ...]] = ()
    instructions: str = ""
    leaves_behind: ClassVar[str] = ""
    names_are: str = "job"
    """What its names of services are called in an alias, as in `span:shop.checkout`."""
    keeps_memory: ClassVar[bool] = False
    """Whether it gathers by itself and would lose that if it were built anew for another set of services."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.form.fields and "credential_fields" not in cls.__dict__:
            cls.credential_fields = cls.form.credential_fields

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        self.config = config
        self.context = context
        if context.label:
            self.title = f"{self.title} ({context.label})" if context.label != self.name else self.title

    @property
    def key(self) -> str:
        """What names this one among the tenant's: its label, or its name where the operator's file connects it."""
        return self.context.label or self.name

    @classmethod
    def hosts(cls, _config: Any) -> tuple[str, ...]:
        """The hosts that it must reach: a stored connection reaches no others. Empty: it is not held to any."""
        return ()

    @classmethod
    def variables(cls, _config: Any) -> Mapping[str, str]:
        """Environment variables that the settings name as `env:NAME` in places of their own, by credential field."""
        return {}

    async def start(self) -> None:
        """Begin background work, if any. Called once, in the running loop."""

    async def close(self) -> None:
        """End background work and release files and sockets."""

    async def check(self) -> Check:
        """Test the connection for real, in under five seconds."""
        raise NotImplementedError

    def behind(self) -> Sequence[Connector]:
        """Further sources that are read through this one, each like a connection of its own. It closes them."""
        return ()

    def tools(self) -> list[Tool]:
        """The read tools of this connector."""
        return tools_of(self, source=self.key)


@dataclass(frozen=True, kw_only=True)
class SeriesRead:
    """Metrics of a window. `gaps` are sentences on what could not be read."""

    series: tuple[RawSeries, ...]
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LogsRead:
    """Log lines of a window in time order. `gaps` as above, for example a cap that was reached."""

    lines: Sequence[LogLine]
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SpansRead:
    """Spans of a window. `gaps` as above, for example a cap that was reached."""

    spans: Spans
    gaps: tuple[str, ...] = ()


@runtime_checkable
class Discovers(Protocol):
    """Knows services by itself, so that people need not type them."""

    async def discover(self) -> Discovery:
        """Raises AgentError when it cannot be asked."""


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What the other side offers at this moment: `settings` to store once a person accepts it, `seen` names it."""

    settings: Mapping[str, Any]
    seen: str


@runtime_checkable
class Pinning(Protocol):
    """Uses only what a person has looked at: what it was offered then is stored with its settings."""

    async def pins(self) -> Pins:
        """Raises AgentError when it cannot be asked."""


@runtime_checkable
class MetricSource(Protocol):
    """Reads raw series; each carries a `service` label with one of the declared services' names. Of all declared ones
    where no `services` are named.
    """

    async def read_series(self, window: Window, services: Sequence[str] | None = None) -> SeriesRead: ...


@runtime_checkable
class LogSource(Protocol):
    """Reads log lines of declared services."""

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead: ...


@runtime_checkable
class TraceSource(Protocol):
    """Reads spans of the requests that passed through declared services, under those names.

    Whole traces: services of them that are not declared keep the name that the recorder has for them.
    """

    async def read_spans(self, window: Window, services: Sequence[str] | None = None) -> SpansRead: ...


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What a change altered between two versions. `others` are commits between them beside the head (newest first).

    `whole` is false where `text` was cut off.
    """

    change_id: str
    service: str
    from_version: str
    to_version: str
    text: str
    paths: tuple[str, ...]
    others: tuple[str, ...] = ()
    migrations: tuple[str, ...] = ()
    link: str | None = None
    whole: bool = True


def altered_row(diff: Diff) -> Altered:
    """A diff as the row that investigations keep of it."""
    return Altered(
        service=diff.service,
        change=diff.change_id,
        diff=diff.text,
        from_version=diff.from_version,
        to_version=diff.to_version,
        files=diff.paths,
        migrations=diff.migrations,
        whole=diff.whole,
        link=diff.link,
    )


def diff_output(diff: Diff, *, cut: str) -> ToolOutput:
    """What a tool answers that compares two versions. `cut` is the gap of a diff that is not whole."""
    changes = f"{diff.from_version[:7]}..{diff.to_version[:7]}"
    header = f"{changes} changes {counted(len(diff.paths), 'file')}"
    lines = [header]
    lines += [f"other commit in between: {other}" for other in diff.others]
    lines += [f"migration: {path}" for path in diff.migrations]
    return ToolOutput(
        text="\n".join([*lines, "", diff.text]),
        rows=(replace(altered_row(diff), line=header),),
        summary=f"diff {changes}, {counted(len(diff.paths), 'file')}",
        gap=None if diff.whole else cut,
        facts={
            "change_id": diff.change_id,
            "service": diff.service,
            "from_version": diff.from_version,
            "to_version": diff.to_version,
            "paths": list(diff.paths),
            "migrations": list(diff.migrations),
            "link": diff.link,
        },
    )


@dataclass(frozen=True, kw_only=True)
class ChangesRead:
    """Changes of a window, oldest first, which it is a sequence of. `gaps` as above."""

    changes: Sequence[Change]
    gaps: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __getitem__(self, place: int) -> Change:
        return self.changes[place]


@runtime_checkable
class ChangeSource(Protocol):
    """Knows deployments and what they changed."""

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead: ...

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff: ...


@dataclass(frozen=True, kw_only=True)
class TargetState:
    """A target as it is now. `version` is what a plan binds to; a started_at or restart count binds a restart.

    `generation` moves with every change of what is declared, and `ready` are those of the instances that are as
    declared and answer, where the vendor counts them.
    """

    service: str
    version: str
    previous_version: str | None
    state: str
    instances: int
    started_at: datetime | None
    read_at: datetime
    generation: int | None = None
    ready: int | None = None


@dataclass(frozen=True, kw_only=True)
class ActionResult:
    """What carrying out an action answered. `detail` is redacted by the caller before it is stored or shown."""

    ok: bool
    detail: str


@runtime_checkable
class Actuator(Protocol):
    """Carries out named actions on services. `argv` is the exact command or request, shown on the card."""

    def can(self, action: str, service: str) -> bool: ...

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]: ...

    async def read_target(self, service: str) -> TargetState: ...

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult: ...


@runtime_checkable
class RiskRated(Protocol):
    """An actuator whose operator rated its actions; a plan's risk is never below the rating."""

    def risk(self, action: str, service: str) -> Risk: ...


@runtime_checkable
class Outliving(Protocol):
    """An actuator whose actions go on when this process ends in the middle."""

    async def settle(self, idempotency_key: str) -> bool:
        """Wait until the action that was begun under this key has ended. False when it did not within its time."""


@runtime_checkable
class Revocable(Protocol):
    """A connector whose credential can be withdrawn at the vendor, as an OAuth grant can."""

    async def revoke(self) -> None:
        """Ends the grant there. Safe to repeat. Raises AgentError."""


@cache
def discover_connectors() -> dict[str, type[Connector]]:
    """All connectors by name. Raises TypeError for a module without `CONNECTOR` or whose name is not its file's."""
    found: dict[str, type[Connector]] = {}
    for module_info in pkgutil.iter_modules(connectors.__path__):
        module = importlib.import_module(f"{connectors.__name__}.{module_info.name}")
        connector: type[Connector] | None = getattr(module, "CONNECTOR", None)
        if connector is None or connector.name != module_info.name:
            raise TypeError(f"{module.__name__} must set CONNECTOR to a Connector named {module_info.name!r}")
        found[connector.name] = connector
    return found
