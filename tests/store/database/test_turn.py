"""Who writes next."""

import asyncio

import pytest

from store.database.turn import WriterTurn

LONG_S = 60.0


async def hold(turn: WriterTurn, order: list[str], name: str, *, urgent: bool = False) -> None:
    async with turn.taken(urgent=urgent, timeout_s=LONG_S):
        order.append(name)
        await asyncio.sleep(0)


async def waiting(turn: WriterTurn, order: list[str], *names: str) -> list[asyncio.Task[None]]:
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(hold(turn, order, name, urgent=name.startswith("urgent"))))
        await asyncio.sleep(0)
    return tasks


async def test_the_urgent_go_first_and_each_kind_in_its_order() -> None:
    turn, order = WriterTurn(), list[str]()
    async with turn.taken(urgent=False, timeout_s=LONG_S):
        tasks = await waiting(turn, order, "a", "b", "urgent 1", "c", "urgent 2")
    await asyncio.gather(*tasks)
    assert order == ["urgent 1", "urgent 2", "a", "b", "c"]


async def test_only_one_has_the_turn() -> None:
    turn = WriterTurn()
    inside = most = 0

    async def work(number: int) -> None:
        nonlocal inside, most
        async with turn.taken(urgent=number % 3 == 0, timeout_s=LONG_S):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work(number) for number in range(30)))
    assert most == 1


async def test_who_gives_up_or_is_cancelled_loses_nobody_the_turn() -> None:
    turn, order = WriterTurn(), list[str]()
    async with turn.taken(urgent=False, timeout_s=LONG_S):
        gone, stays = await waiting(turn, order, "gone", "stays")
        gone.cancel()
        with pytest.raises(TimeoutError):
            async with turn.taken(urgent=True, timeout_s=0.01):
                pass
    await asyncio.gather(stays)
    assert order == ["stays"]
    async with turn.taken(urgent=False, timeout_s=LONG_S):
        order.append("again")
    assert order[-1] == "again"


async def test_a_turn_that_comes_in_the_moment_of_giving_up_is_passed_on() -> None:
    turn, order = WriterTurn(), list[str]()
    async with turn.taken(urgent=False, timeout_s=LONG_S):
        gone, stays = await waiting(turn, order, "gone", "stays")
    gone.cancel()
    await asyncio.gather(gone, stays, return_exceptions=True)
    assert order == ["stays"]


async def test_an_error_inside_gives_the_turn_back() -> None:
    turn = WriterTurn()
    with pytest.raises(ValueError, match="inside"):
        async with turn.taken(urgent=False, timeout_s=LONG_S):
            raise ValueError("inside")
    async with turn.taken(urgent=False, timeout_s=0.01):
        pass
