"""Runs the programs that the operator declared, and no others: deploy tools, restart scripts, status commands.

Each is an argv template without a shell; a placeholder takes one checked value and stays one argument. What a command
is for is its `action`; `read_target` prints a service's state as JSON. Nothing here decides whether a command may run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from agents.connecting.connector import (
    MARGIN,
    ActionResult,
    Check,
    Connector,
    ConnectorConfig,
    ConnectorContext,
    TargetState,
)
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted, Unavailable
from agents.processes import process
from agents.processes.process import Finished
from agents.rows import Printed, State
from agents.tool import Arguments, Risk, Tool, ToolOutput, tool

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_NAME = r"^[a-z][a-z0-9_]{0,39}$"
_SHA = re.compile(r"[0-9a-f]{7,64}")
_READ_TARGET = "read_target"
_KEY = "AUTOHEAL_IDEMPOTENCY_KEY"
_CUT = "only the newest {bytes} bytes of what it printed are kept"
_MINIMAL = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class Parameter(BaseModel):
    """A placeholder beside `{service}` and `{version}`: an integer within bounds, or one of some words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["int", "choice"]
    min: int = 0
    max: int = 1_000_000
    choices: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Parameter:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("a choice has choices, an int has min and max")
        return self

    def accepts(self, value: str) -> bool:
        if self.type == "choice":
            return value in self.choices
        return re.fullmatch(r"-?[0-9]{1,18}", value) is not None and self.min <= int(value) <= self.max


class DeclaredCommand(BaseModel):
    """One declared program. `services` empty means all declared ones; `undo` and `verify` name other actions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME)
    action: str = Field(pattern=_NAME)
    argv: tuple[str, ...] = Field(min_length=1)
    services: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = Field(default_factory=dict)
    risk: Risk
    description: str = ""
    verify: str = _READ_TARGET
    undo: str | None = None
    timeout_s: float = Field(default=30.0, gt=0, le=600)
    max_output_bytes: int = Field(default=64_000, ge=100, le=4_000_000)
    environment: Mapping[str, str] = Field(default_factory=dict)  # "env:NAME" hands over a variable of ours
    folder: Path | None = None

    @field_validator("argv")
    @classmethod
    def _program(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not Path(argv[0]).is_absolute() or "{" in argv[0]:
            raise ValueError("starts with the absolute path of a program")
        return argv

    @model_validator(mode="after")
    def _declared(self) -> DeclaredCommand:
        used = self.placeholders()
        undeclared = sorted(used - {"service", "version"} - set(self.parameters))
        if undeclared:
            raise ValueError(f"argv uses {{{undeclared[0]}}}, which parameters does not declare")
        unused = sorted(set(self.parameters) - used)
        if unused:
            raise ValueError(f"parameters declares {unused[0]}, which argv does not use")
        if self.action == _READ_TARGET and self.risk is not Risk.READ:
            raise ValueError('read_target has risk = "read"')
        return self

    def placeholders(self) -> set[str]:
        return {name for part in self.argv for name in _PLACEHOLDER.findall(part)}


class CommandsConfig(ConnectorConfig):
    command: tuple[DeclaredCommand, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> CommandsConfig:
        names = [command.name for command in self.command]
        if len(set(names)) < len(names):
            raise ValueError("two commands have the same name")
        actions = {command.action for command in self.command}
        for command in self.command:
            for named in (command.undo, None if command.risk is Risk.READ else command.verify):
                if named is not None and named not in actions:
                    raise ValueError(f"{command.name} names the action {named}, which no command has")
        return self


class ServiceStatus(Arguments):
    service: str = Field(description="A declared service.")


class Commands(Connector):
    name = "commands"
    title = "Commands"
    host = True
    config_model = CommandsConfig

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        for command in config.command:
            context.require_declared(command.services, key=f"connectors.commands.command {command.name}: services")

    @classmethod
    def variables(cls, config: CommandsConfig) -> Mapping[str, str]:
        named = [value for command in config.command for value in command.environment.values()]
        return {value: value.removeprefix("env:") for value in named if value.startswith("env:")}

    async def check(self) -> Check:
        problems = []
        for service in self.context.names:
            if self.can(_READ_TARGET, service):
                try:
                    await self.read_target(service)
                except AgentError as exc:
                    problems.append(f"{service}: {exc}")
        missing = {c.argv[0] for c in self.config.command if not os.access(c.argv[0], os.X_OK)}
        problems += [f"{program} cannot be run" for program in sorted(missing)]
        if problems:
            return Check(ok=False, detail="; ".join(problems), next_action="Correct the argv in connectors.commands.")
        return Check(ok=True, detail=f"{counted(len(self.config.command), 'command')} declared, targets can be read")

    def tools(self) -> list[Tool]:
        """`service_status`, and one tool for each further command with risk read."""
        found = [t for t in super().tools() if any(self.can(_READ_TARGET, s) for s in self.context.names)]
        reads = [c for c in self.config.command if c.risk is Risk.READ and c.action != _READ_TARGET]
        return [*found, *(self._read_tool(command) for command in reads)]

    @tool()
    async def service_status(self, arguments: ServiceStatus) -> ToolOutput:
        """The running version, previous version, state, instances and start time of a service, read now."""
        target = await self.read_target(arguments.service)
        facts = {
            "service": target.service,
            "version": target.version,
            "previous_version": target.previous_version,
            "state": target.state,
            "instances": target.instances,
            "started_at": target.started_at.isoformat() if target.started_at else None,
            "read_at": target.read_at.isoformat(),
        }
        rows = tuple(
            State(service=target.service, name=key, value=str(value), at=target.read_at, line=f"{key}: {value}")
            for key, value in facts.items()
        )
        return ToolOutput(
            text="\n".join(row.line for row in rows),
            rows=rows,
            summary=f"{target.service} runs {target.version[:7]}, {target.state}",
            facts=facts,
        )

    def can(self, action: str, service: str) -> bool:
        return any(self._serves(command, action, service) for command in self.config.command)

    def risk(self, action: str, service: str) -> Risk:
        """The operator's rating. Raises NotPermitted for an undeclared action."""
        return self._command(action, service).risk

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The exact command. Raises NotPermitted for what is not declared, BadArguments for an ill-typed value."""
        return self._fill(self._command(action, parameters.get("service", "")), parameters)

    async def read_target(self, service: str) -> TargetState:
        """Run the `read_target` command. Raises Unavailable when it fails or does not print the expected JSON."""
        command = self._command(_READ_TARGET, service)
        done = await self._read(command, {"service": service})
        target = _as_target(service, done.output.decode("utf-8", errors="replace"), self.context.now())
        return replace(target, state=await self.context.clean(target.state))

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Run it once; the key is given to the program as AUTOHEAL_IDEMPOTENCY_KEY.

        Raises Unavailable when the program cannot be started or is killed at its time-out: the effect is then unknown.
        When this process ends first, the program goes on by itself.
        """
        command = self._command(action, parameters.get("service", ""))
        if command.risk is Risk.READ:
            raise NotPermitted(f"{command.name} is declared as a read and is not an action")
        done = await self._run(command, parameters, {_KEY: idempotency_key})
        parts = [await self._cleaned(command, out) for out in (done.output, done.errors)]
        said = "\n".join(part for part in parts if part)
        cut = f" [{_CUT.format(bytes=command.max_output_bytes)}]" if self._is_cut(command, done) else ""
        return ActionResult(ok=done.code == 0, detail=f"exit code {done.code}{cut}\n{said}".strip())

    async def settle(self, idempotency_key: str) -> bool:
        longest = max(command.timeout_s for command in self.config.command)
        return await process.until_gone(_KEY, idempotency_key, longest_s=longest)

    def _serves(self, command: DeclaredCommand, action: str, service: str) -> bool:
        return command.action == action and service in (command.services or self.context.names)

    def _command(self, action: str, service: str) -> DeclaredCommand:
        for command in self.config.command:
            if self._serves(command, action, service):
                found: DeclaredCommand = command
                return found
        raise NotPermitted(f"no command with the action {action[:40]!r} is declared for {service[:40]!r}")

    def _fill(self, command: DeclaredCommand, parameters: Mapping[str, str]) -> tuple[str, ...]:
        used = command.placeholders()
        # The service is always named, so that the declaration can be looked up, even where argv does not repeat it.
        undeclared = sorted(set(parameters) - used - {"service"})
        if undeclared:
            raise NotPermitted(f"{command.name} has no parameter {undeclared[0][:40]!r}")
        missing = sorted(used - set(parameters))
        if missing:
            raise BadArguments(f"{command.name} needs the parameter {missing[0]}")
        for name, value in parameters.items():
            self._check_value(command, name, value)
        return tuple(_PLACEHOLDER.sub(lambda found: parameters[found[1]], part) for part in command.argv)

    def _check_value(self, command: DeclaredCommand, name: str, value: str) -> None:
        if name == "service":
            self.context.require_declared([value], key=command.name)
        elif name == "version":
            if not _SHA.fullmatch(value):
                raise BadArguments(f"{command.name}: version is a commit id of 7 to 64 hexadecimal characters")
        elif not command.parameters[name].accepts(value):
            raise BadArguments(f"{command.name}: {name} does not accept {value[:40]!r}")

    async def _run(
        self, command: DeclaredCommand, parameters: Mapping[str, str], environment: Mapping[str, str]
    ) -> Finished:
        start = partial(process.run, newest=True) if command.risk is Risk.READ else process.act
        return await start(
            self._fill(command, parameters),
            environment={**_MINIMAL, **self._given(command), **environment},
            timeout_s=command.timeout_s,
            max_bytes=command.max_output_bytes + MARGIN,
            folder=command.folder,
        )

    def _given(self, command: DeclaredCommand) -> dict[str, str]:
        secrets = self.context.credentials
        return {k: secrets[v].reveal() if v in secrets else v for k, v in command.environment.items()}

    async def _read(self, command: DeclaredCommand, parameters: Mapping[str, str]) -> Finished:
        """What a read printed. Raises Unavailable with the end of what the program said."""
        done = await self._run(command, parameters, {})
        if done.code != 0:
            said = await self._cleaned(command, done.errors) or await self._cleaned(command, done.output)
            raise Unavailable(f"{command.name} ended with {done.code}: {said[-300:]}")
        return done

    async def _cleaned(self, command: DeclaredCommand, output: bytes) -> str:
        """The newest of it, as much as the declaration allows, without secrets. What was cut off may have named a
        secret at the beginning of the rest, so that `MARGIN` of it serves to recognise and is not shown.
        """
        clean = await self.context.clean(output.decode("utf-8", errors="replace"))
        if len(output) <= command.max_output_bytes:
            return clean.strip()
        first = max(len(clean) - command.max_output_bytes, min(MARGIN, len(output) - command.max_output_bytes))
        return clean[first:].partition("\n")[2].strip() or clean[first:].strip()

    def _is_cut(self, command: DeclaredCommand, done: Finished) -> bool:
        return max(len(done.output), len(done.errors)) > command.max_output_bytes

    def _read_tool(self, command: DeclaredCommand) -> Tool:
        """A declared read as a tool whose arguments are its placeholders, all texts that `_fill` checks."""
        names = sorted(command.placeholders() | {"service"})
        fields: dict[str, Any] = {name: (str, Field(description=_accepted(command, name))) for name in names}
        model = create_model(f"{command.name}_arguments", __base__=Arguments, **fields)

        async def read(arguments: Arguments) -> ToolOutput:
            parameters = {name: str(value) for name, value in arguments.model_dump().items()}
            if not self._serves(command, command.action, parameters["service"]):
                raise NotPermitted(f"{command.name} is not declared for {parameters['service'][:40]!r}")
            done = await self._read(command, parameters)
            text = await self._cleaned(command, done.output)
            cut = self._is_cut(command, done)
            gap = f"{command.name}: {_CUT.format(bytes=command.max_output_bytes)}" if cut else None
            row = Printed(service=parameters["service"], program=command.name, text=text)
            return ToolOutput(
                text=text or "no output", rows=(row,), summary=f"{command.name} {parameters['service']}", gap=gap
            )

        return Tool(
            name=command.name,
            description=command.description or f"Runs the operator's read-only command {command.name}.",
            arguments=model,
            risk=Risk.READ,
            source=self.name,
            timeout=timedelta(seconds=command.timeout_s + 1),
            function=read,
        )


def _accepted(command: DeclaredCommand, name: str) -> str:
    if name == "service":
        return "A declared service."
    if name == "version":
        return "A commit id."
    parameter = command.parameters[name]
    if parameter.type == "choice":
        return "One of " + ", ".join(parameter.choices)
    return f"An integer from {parameter.min} to {parameter.max}."


class _Printed(BaseModel):
    """What a `read_target` command prints; further fields are ignored."""

    version: str = Field(pattern=r"^[0-9a-f]{7,64}$")
    previous_version: str | None = Field(default=None, pattern=r"^[0-9a-f]{7,64}$")
    state: str = Field(max_length=40)
    instances: int = Field(default=1, ge=0)
    started_at: AwareDatetime | None = None


def _as_target(service: str, printed: str, read_at: datetime) -> TargetState:
    """From one JSON object, or from an object of such objects by service."""
    try:
        document = json.loads(printed)
        if isinstance(document, dict) and isinstance(document.get(service), dict):
            document = document[service]
        state = _Printed.model_validate(document)
    except ValidationError as exc:
        fields = ", ".join(".".join(map(str, error["loc"])) or "the document" for error in exc.errors())
        raise Unavailable(f"the read_target command for {service} printed JSON with unusable {fields}") from exc
    except ValueError as exc:
        raise Unavailable(f"the read_target command for {service} did not print JSON") from exc
    return TargetState(
        service=service,
        version=state.version,
        previous_version=state.previous_version,
        state=state.state,
        instances=state.instances,
        started_at=state.started_at.astimezone(UTC) if state.started_at else None,
        read_at=read_at,
    )


CONNECTOR = Commands
