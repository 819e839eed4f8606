"""Tool results are stored once, numbered, and bound to their investigation."""

import asyncio
from typing import Any

import pytest

from store.database.session import Database
from store.errors import NotFound
from store.incidents.artifacts import Artifact, artifact, artifacts, save_artifact


async def _save(database: Database, case: Any, tool_use_id: str, text: str = "p95 = 1.2 s") -> Artifact:
    async with database.tenant(case.tenant_id) as s:
        return await save_artifact(
            s,
            investigation_id=case.investigation_id,
            tool_use_id=tool_use_id,
            tool="query_metrics",
            arguments={"query": "rate(errors[5m])"},
            text=s.redactor.redact(text),
            source="prometheus",
            facts={"max": 1.2},
        )


async def test_parallel_results_are_numbered_without_gaps(database: Database, case: Any) -> None:
    saved = await asyncio.gather(*(_save(database, case, f"toolu_{n}") for n in range(8)))
    assert sorted(one.number for one in saved) == list(range(1, 9))
    async with database.tenant(case.tenant_id) as s:
        assert [one.number for one in await artifacts(s, case.investigation_id)] == list(range(1, 9))


async def test_a_repeated_tool_use_keeps_the_first_result(database: Database, case: Any, two_tenants: Any) -> None:
    first = await _save(database, case, "toolu_1", "first")
    assert await _save(database, case, "toolu_1", "second") == first
    assert (first.text, first.arguments, first.facts) == ("first", {"query": "rate(errors[5m])"}, {"max": 1.2})
    async with database.tenant(case.tenant_id) as s:
        assert await artifact(s, first.id) == first
    async with database.tenant(two_tenants[1]) as s:
        assert await artifact(s, first.id) is None
        assert await artifacts(s, case.investigation_id) == []
        with pytest.raises(NotFound):
            await save_artifact(
                s,
                investigation_id=case.investigation_id,
                tool_use_id="toolu_2",
                tool="t",
                arguments={},
                text=s.redactor.redact("x"),
                source="x",
            )
