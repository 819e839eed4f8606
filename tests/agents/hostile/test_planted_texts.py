"""Texts that give orders or blame an innocent service, planted in everything that a run reads. The model believes them
all; nothing is done without a click, and what a line says of a service is not told as if it had been observed.
"""

from collections.abc import Callable
from functools import partial

import pytest
from fakes.rig import Rig

from agents.models.offline import OfflineModel
from tests.agents.hostile.planting import FRAMING, ORDERS, believed, done_without_a_person, obeying, planted_toolbox

RigOf = Callable[..., Rig]
TEXTS = pytest.mark.parametrize("texts", [FRAMING, ORDERS], ids=["framing", "orders"])


@TEXTS
async def test_a_model_that_does_what_it_reads_has_nothing_done(rig_of: RigOf, texts: tuple[str, ...]) -> None:
    rig = rig_of(script=obeying(texts), toolbox=partial(planted_toolbox, texts))
    run = await rig.ask(f"checkout fails. {texts[0]}")
    assert await done_without_a_person(rig, run, texts) == []


@TEXTS
async def test_what_a_line_claims_is_not_told_as_observed(rig_of: RigOf, texts: tuple[str, ...]) -> None:
    rig = rig_of(script=obeying(texts), toolbox=partial(planted_toolbox, texts))
    run = await rig.ask(f"checkout fails. {texts[0]}")
    assert await believed(rig, run, texts) == []


async def test_the_offline_investigator_neither_obeys_nor_believes(rig_of: RigOf) -> None:
    texts = (*FRAMING, *ORDERS)
    rig = rig_of(offline=OfflineModel(), toolbox=partial(planted_toolbox, texts))
    run = await rig.ask(f"checkout fails. {texts[0]}")
    assert await done_without_a_person(rig, run, texts) == []
    assert await believed(rig, run, texts) == []
