"""Slots are shared out: whoever asks for many has no more of them than their share, and whoever comes is next."""

import asyncio
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardened.shell.slots import Slots
from hardened.shell.workqueue import Key


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_namespace_and_a_service_have_their_share_and_no_more() -> None:
    async def play() -> None:
        slots, held = Slots(8), Counter[Key]()

        async def take(owner: Key) -> None:
            await slots.take(owner)
            held[owner] += 1

        greedy = [Key("mall", f"s{n}") for n in range(10)]
        tasks = [asyncio.create_task(take(owner)) for owner in greedy for _ in range(16)]
        await settle()
        assert max(held.values()) <= 2
        assert held.total() == 4
        other = asyncio.create_task(take(Key("shop", "web")))
        await settle()
        assert other.done()
        for task in (*tasks, other):
            task.cancel()

    asyncio.run(play())


def test_a_free_slot_goes_to_the_namespace_that_holds_the_fewest() -> None:
    async def play() -> list[str]:
        slots, order = Slots(4), list[str]()

        async def take(owner: Key) -> None:
            await slots.take(owner)
            order.append(owner.namespace)

        tasks = [asyncio.create_task(take(Key(ns, f"s{n}"))) for ns in ("a", "b") for n in range(6)]
        await settle()
        tasks.append(asyncio.create_task(take(Key("c", "late"))))
        await settle()
        assert sorted(order) == ["a", "a", "b", "b"]
        slots.give_back(Key("a", "s0"))
        await settle()
        for task in tasks:
            task.cancel()
        return order[4:]

    assert asyncio.run(play()) == ["c"]


def test_however_many_wait_whose_share_is_taken_the_others_are_served_at_once() -> None:
    async def play() -> float:
        slots, began = Slots(8), time.monotonic()
        tasks = [asyncio.create_task(slots.take(Key("mall", f"s{n % 250}"))) for n in range(4000)]
        await settle()
        await asyncio.wait_for(slots.take(Key("shop", "web")), 5)
        seconds = time.monotonic() - began
        for task in tasks:
            task.cancel()
        return seconds

    assert asyncio.run(play()) < 2


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.booleans()), max_size=60), st.integers(1, 9))
def test_whatever_is_given_up_no_slot_is_lost_and_none_is_made(moves: list[tuple[str, str, bool]], count: int) -> None:
    async def play() -> None:
        slots, tasks = Slots(count), list[tuple[Key, asyncio.Task[None]]]()
        for namespace, name, is_given_up in moves:
            owner = Key(namespace, name)
            tasks.append((owner, asyncio.create_task(slots.take(owner))))
            if is_given_up:
                await asyncio.sleep(0)
                tasks[len(tasks) // 2][1].cancel()
        while tasks:
            await settle()
            held = [(owner, task) for owner, task in tasks if task.done() and not task.cancelled()]
            assert len(held) <= count
            assert held or all(task.cancelled() for _, task in tasks), "nobody waits for a slot that nobody holds"
            for owner, task in held:
                slots.give_back(owner)
                tasks.remove((owner, task))
            tasks = [each for each in tasks if not each[1].cancelled()]
        await asyncio.wait_for(slots.take(Key("z", "z")), 1)

    asyncio.run(play())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_whoever_is_alone_has_at_least_one(count: int) -> None:
    async def play() -> None:
        await asyncio.wait_for(Slots(count).take(Key("a", "b")), 1)

    asyncio.run(play())
