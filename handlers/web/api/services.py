"""The catalog of services: what is known, who said so, what is asked, and people's word on it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from agents.connecting.correcting import Correction, NotUsable, answer, correct
from agents.permission import Permission
from handlers.web.api_resource import Body, Call, Context, Missing, Operation, Problem, Resource
from store.ids import ServiceId
from store.incidents import catalog


class KnownService(BaseModel):
    name: str
    environment: str
    aliases: list[str]
    depends_on: list[str]
    owners: list[str]
    repository: str | None
    runbook: str | None
    said_by: str
    """`operator`, `connection`, `traces`, `investigation` or `person`."""


class Question(BaseModel):
    """Is it one of yours, or, with `same_as`, another name for that one?"""

    id: str
    name: str
    same_as: str | None
    said_by: str


class Catalog(BaseModel):
    services: list[KnownService]
    questions: list[Question]


class ServiceBody(Body):
    """All that is known of it from then on."""

    aliases: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    depends_on: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    environment: Annotated[str, Field(max_length=80)] = "production"
    owners: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    repository: Annotated[str | None, Field(max_length=200)] = None
    runbook: Annotated[str | None, Field(max_length=250)] = None


class AnswerBody(Body):
    answer: Literal["same", "own", "dismiss"]


class ToldInWords(BaseModel):
    told: str


async def list_services(call: Call, context: Context) -> Catalog:
    """What investigations look at, and what is asked about it."""
    toolbox = await context.toolbox_for(call.person.tenant_id)
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        entries = await catalog.services(s)
    by_name = {entry.name: entry for entry in entries}
    return Catalog(
        services=[
            KnownService(
                name=one.name,
                environment=one.environment,
                aliases=list(one.aliases),
                depends_on=list(one.depends_on),
                owners=list(one.owners),
                repository=one.repository,
                runbook=one.runbook,
                said_by=_said_by(by_name.get(one.name)),
            )
            for one in toolbox.services
        ],
        questions=[
            Question(id=entry.id, name=entry.name, same_as=entry.same_as, said_by=entry.origin)
            for entry in entries
            if entry.state == "proposed"
        ],
    )


async def put_service(name: str, body: ServiceBody, call: Call, context: Context) -> ToldInWords:
    """Adds it or changes it to exactly this; it stays, whatever a source says later."""
    toolbox = await context.toolbox_for(call.person.tenant_id)
    wanted = Correction(
        name=name,
        aliases=tuple(body.aliases),
        depends_on=tuple(body.depends_on),
        environment=body.environment,
        owners=tuple(body.owners),
        repository=body.repository,
        runbook=body.runbook,
    )
    try:
        wanted.checked(toolbox.services)
    except NotUsable as exc:
        raise Problem(422, "not_usable", str(exc)) from exc
    return ToldInWords(told=await correct(context.db, call.person, wanted, toolbox.services, source=call.source))


async def answer_question(service_id: UUID, body: AnswerBody, call: Call, context: Context) -> ToldInWords:
    """Answers what is asked about a name."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        if await catalog.service_by_id(s, ServiceId(str(service_id))) is None:
            raise Missing
    told = await answer(context.db, call.person, ServiceId(str(service_id)), body.answer, source=call.source)
    return ToldInWords(told=told)


def _said_by(entry: catalog.CatalogEntry | None) -> str:
    if entry is None:
        return "operator"
    return "person" if entry.decided_by is not None else entry.origin


RESOURCE = Resource(
    name="services",
    operations=(
        Operation(method="GET", path="/services", access=Permission.READ, run=list_services, answer=Catalog),
        Operation(
            method="PUT", path="/services/{name}", access=Permission.CONNECT, run=put_service, answer=ToldInWords
        ),
        Operation(
            method="POST",
            path="/services/{service_id}/answer",
            access=Permission.CONNECT,
            run=answer_question,
            answer=ToldInWords,
        ),
    ),
)
