"""Whatever is sent to whichever address: an answer, never a failure of ours, and one line of log for a refusal."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.web.api_resource import discover_resources
from tests.handlers.web.api.api import Api

OPERATIONS = [
    (operation.method, operation.path)
    for resource in discover_resources().values()
    for operation in resource.operations
    if operation.path not in ("/session", "/me/deletion")  # they end the session that the others are tried with
]
FIELDS = (
    *("email", "role", "user_id", "token", "first_name", "last_name", "password", "new_password", "notify", "name"),
    *("scopes", "days", "model", "autonomy", "daily_usd_cap", "triage_channels", "open_threads", "new_member_role"),
)
HUGE = st.sampled_from([2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**40, 1e308, float("inf"), float("nan")])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), HUGE, st.floats(), st.text(max_size=20), st.just("\ud800"))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner)),
    max_leaves=6,
)
BODIES = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6).map(lambda fields: json.dumps(fields).encode()),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=60),
    st.sampled_from([b"[1]", b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"\xff\xfe", b"{} {}", b"null"]),
)
WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-05T02:41:00Z", "1e400", "9" * 400, "-1"]
    ),
)
QUERIES = st.dictionaries(
    st.sampled_from(["after", "limit", "since", "until", "format", "ticket", "x"]), WORDS, max_size=4
)
TYPES = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "",
    ]
)


@pytest.mark.slow
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    operation=st.sampled_from(OPERATIONS),
    place=st.one_of(st.uuids().map(str), st.from_regex(r"[A-Za-z0-9%._~-]{1,30}", fullmatch=True)),
    query=QUERIES,
    body=BODIES,
    kind=TYPES,
)
async def test_every_answer_is_an_answer(  # noqa: PLR0917 - what Hypothesis draws
    api: Api, operation: tuple[str, str], place: str, query: dict[str, str], body: bytes, kind: str
) -> None:
    method, path = operation
    path = "/".join(place if part.startswith("{") else part for part in path.split("/"))
    clean = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    async with api.browser(api.admin) as client:
        answer = await client.request(method, path, params=clean, content=body, headers={"content-type": kind})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert {"code", "message", "reference"} <= answer.json()["error"].keys()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/audit?after=99999999999999999999", 422),
        ("/audit?after=9007199254740992", 200),
        ("/events?since=0001-01-01T00:00:00%2B23:59&until=0001-02-01T00:00:00Z", 422),
        ("/events?since=9999-12-31T23:59:59-23:59&until=9999-12-31T23:59:59-23:59", 422),
        ("/events?since=1e400&until=1e400", 422),
    ],
)
async def test_numbers_and_dates_have_bounds(api: Api, path: str, status: int) -> None:
    async with api.browser(api.admin) as client:
        assert (await client.get(path)).status_code == status


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    """What our loggers say, whatever an earlier test of this process made of the root logger."""
    records: list[logging.LogRecord] = []
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("autoheal"):
            monkeypatch.setattr(logging.getLogger(name), "disabled", False)
    ours = logging.getLogger("autoheal")
    handler = logging.Handler(logging.INFO)
    monkeypatch.setattr(handler, "emit", records.append)
    monkeypatch.setattr(ours, "handlers", [handler])
    level = ours.level
    ours.setLevel(logging.INFO)
    yield records
    ours.setLevel(level)


async def test_a_refusal_is_one_line_of_log(api: Api, logged: list[logging.LogRecord]) -> None:
    async def lines(**given: Any) -> int:
        logged.clear()
        assert 400 <= (await client.request(**given)).status_code < 500
        return len(logged)

    form = {"content-type": "multipart/form-data; boundary=x"}
    async with api.browser(api.admin) as client:
        assert await lines(method="POST", url="/tokens", content=b"[1]") == 1
        assert await lines(method="POST", url="/tokens", content=b"\xff", headers=form) == 1
        assert await lines(method="POST", url="/nowhere", content=b"[1]") == 1
        assert await lines(method="TRACE", url="/tokens") == 1
