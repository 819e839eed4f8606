"""One thumb a person; the last one counts."""

from datetime import timedelta
from typing import Any

from store.database.session import Database
from store.incidents.feedback import feedback, record_feedback


async def test_a_person_changes_their_mind(database: Database, case: Any, clock: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        for by, positive in ((case.member, True), (case.admin, True), (case.member, False)):
            await record_feedback(
                s, investigation_id=case.investigation_id, by=by, positive=positive, at=clock.advance(timedelta(1))
            )
        given = await feedback(s, case.investigation_id)
    assert [(one.by, one.positive) for one in given] == [(case.admin, True), (case.member, False)]
