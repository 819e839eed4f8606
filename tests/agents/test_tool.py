"""What a tool takes from the model."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from agents.connecting.connector import discover_connectors
from agents.errors import BadArguments
from agents.tool import Arguments, Moment, Risk, Tool, ToolOutput

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@pytest.mark.parametrize(
    "said", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1e400", "2026-11-05T02:41"]
)
def test_a_moment_that_cannot_be_computed_with_is_refused(said: str) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(said)


def test_a_moment_of_an_incident_is_taken() -> None:
    assert MOMENT.validate_python("2026-11-05T02:41:00Z") == datetime(2026, 11, 5, 2, 41, tzinfo=UTC)


def _arguments() -> list[type[Arguments]]:
    found: set[type[Arguments]] = set()
    pending: list[type[Any]] = [Arguments]
    while pending:
        for one in pending.pop().__subclasses__():
            found.add(one)
            pending.append(one)
    return sorted(found, key=lambda one: one.__name__)


def test_every_time_that_a_model_may_say_has_bounds() -> None:
    discover_connectors()
    for model in _arguments():
        for name, field in model.model_fields.items():
            if "datetime" in str(field.annotation) or "AwareDatetime" in str(field.annotation):
                assert "AfterValidator" in f"{field.annotation}{field.metadata}", f"{model.__name__}.{name}"


class _Asked(Arguments):
    service: str
    minutes: int = 10
    since_minutes: int | None = None
    start: Moment | None = None


async def _nothing(_arguments: Arguments) -> ToolOutput:
    return ToolOutput(text="", summary="")


READ = Tool(
    name="read",
    description="Reads.",
    arguments=_Asked,
    risk=Risk.READ,
    source="test",
    timeout=timedelta(seconds=1),
    function=_nothing,
)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"Service": "web"}, {"service": "web"}),
        ({"servce": "web", "minute": 5}, {"service": "web", "minutes": 5}),
        ({"service": "web", "sinceMinutes": 5}, {"service": "web", "since_minutes": 5}),
        ({"service": "web", "state": "x"}, {"service": "web", "state": "x"}),
        ({"servce": "web", "serice": "web"}, {"servce": "web", "serice": "web"}),
    ],
)
def test_a_name_that_was_only_just_missed_is_taken_where_one_can_be_meant(
    given: dict[str, Any], taken: dict[str, Any]
) -> None:
    assert READ.mended(given) == taken


def test_an_abbreviation_is_told_the_right_name() -> None:
    with pytest.raises(BadArguments, match=r"svc is no argument; did you mean service\? There are: service, minutes"):
        READ.parse({"svc": "web"})
