"""The model's key, and what the operator's file connects."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

from agents.connecting.connector import Connector
from agents.connecting.operator_file import OperatorFile, OperatorFileError, build_connectors, load
from agents.connecting.outbound import Outbound
from agents.errors import AgentError
from agents.models.claude_model import BASE_URL, ClaudeModel, make_client
from agents.models.model import ModelBug, ModelUnavailable
from bot.doctor.finding import DoctorFinding, note, ok, problem
from bot.doctor.variables import mask
from bot.opening import egress_to, now
from bot.settings import Settings


async def check_claude(settings: Settings) -> AsyncIterator[DoctorFinding]:
    """The key and the model, at no cost."""
    subject, key = "Claude", settings.anthropic_api_key
    if key is None:
        yield note(subject, "ANTHROPIC_API_KEY is not set: offline investigator only, nothing goes to a model")
        return
    base_url = settings.anthropic_base_url or BASE_URL
    try:
        client = make_client(
            api_key=key.get_secret_value(),
            check_egress=egress_to(base_url),
            base_url=base_url,
            timeout=timedelta(seconds=10),
            max_retries=0,
        )
        model = ClaudeModel(client, model=settings.model)
    except ValueError as exc:
        yield problem(subject, str(exc), "correct ANTHROPIC_API_KEY or AUTOHEAL_MODEL")
        return
    try:
        await model.check()
    except (ModelUnavailable, ModelBug) as exc:
        yield problem(
            subject, str(exc), "correct ANTHROPIC_API_KEY or AUTOHEAL_MODEL; until then the offline investigator works"
        )
        return
    finally:
        await client.close()
    yield ok(subject, f"{settings.model} answers to this key")


async def check_operator_file(settings: Settings, check_s: float) -> AsyncIterator[DoctorFinding]:
    """The file, and each connector's own test, within `check_s` each."""
    subject = "operator's file"
    if settings.operator_file is None:
        yield note(subject, "AUTOHEAL_OPERATOR_FILE is not set: Autoheal answers, but has nothing to read")
        return
    async with AsyncExitStack() as stack:
        try:
            file = load(settings.operator_file)
            outbound = Outbound(file.egress)
            stack.push_async_callback(outbound.close)
            connectors = build_connectors(file, outbound=outbound, now=now)
        except OperatorFileError as exc:
            for line in str(exc).splitlines():
                yield problem(subject, line, "correct the file; docs/operating.md shows each connector by example")
            return
        for connector in connectors:
            stack.push_async_callback(connector.close)
        yield ok(subject, f"{len(file.services)} services, {len(connectors)} connectors")
        hide = _mask_file(file)
        for connector in connectors:
            yield await _connector(connector, check_s, hide)


async def _connector(connector: Connector, check_s: float, hide: Callable[[str], str]) -> DoctorFinding:
    try:
        async with asyncio.timeout(check_s * 0.9):
            checked = await connector.check()
    except TimeoutError:
        return problem(
            connector.title, "did not answer in time", f"see whether connectors.{connector.name} is reachable"
        )
    except AgentError as exc:
        return problem(connector.title, hide(str(exc)), f"correct connectors.{connector.name}")
    except Exception as exc:  # noqa: BLE001 -- the outer guard of a check: the others are still to be tested
        kind = type(exc).__name__
        return problem(connector.title, f"its test failed inside Autoheal ({kind})", "report it as a bug of Autoheal")
    detail, action = hide(checked.detail), hide(checked.next_action)
    if checked.ok:
        return ok(connector.title, detail)
    return problem(connector.title, detail, action or f"correct connectors.{connector.name}")


def _mask_file(file: OperatorFile) -> Callable[[str], str]:
    """Credentials of the connectors stand in variables that the file names."""
    named = {variable for section in file.sections for variable in section.credentials.values()}
    return mask(os.environ.get(variable, "") for variable in named)
