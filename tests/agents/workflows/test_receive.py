"""What Slack delivered is handled by the receiver, in one step; a lost checkpoint hands it over again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fakes.rig import Rig

from agents.workflow import workflow_id
from store.ids import InboxId, TenantId


@dataclass
class Noting:
    got: list[tuple[TenantId, InboxId]] = field(default_factory=list)

    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None:
        await asyncio.sleep(0)
        self.got.append((tenant, inbox_id))


def with_receiver(rig: Rig) -> Noting:
    noting = Noting()
    rig.engine.start(replace(rig.runtime, receiver=noting))
    return noting


async def receive(rig: Rig) -> None:
    name = workflow_id(rig.tenant, "receive", "inbox-1")
    await rig.engine.enqueue("receive", workflow_id=name, arguments=(rig.tenant, "inbox-1"))
    await rig.engine.settle()


async def test_an_arrival_is_handed_to_the_receiver_once(rig: Rig) -> None:
    noting = with_receiver(rig)
    await receive(rig)
    await receive(rig)
    assert noting.got == [(rig.tenant, InboxId("inbox-1"))]


async def test_a_lost_checkpoint_hands_it_over_again(rig_of: Callable[..., Rig]) -> None:
    rig = rig_of()
    noting = with_receiver(rig)
    rig.engine.crash_after = {"receive"}
    await receive(rig)
    assert len(noting.got) == 2
