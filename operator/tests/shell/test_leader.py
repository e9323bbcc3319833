"""Elections over the in-memory cluster, in virtual time: who leads, and how soon after another."""

import asyncio
from typing import Any

import pytest
from tests.memory.api_server import Call, MemoryApiServer
from tests.shell import virtual_time
from tests.shell.candidates import Candidate, holder, play

from hardened.errors import TryAgain
from hardened.shell.kinds import LEASE


def test_the_first_one_leads_at_once_and_stays_the_leader() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first, second = Candidate(cluster, "a").start(), Candidate(cluster, "b", 2).start()
        await asyncio.sleep(300)
        assert first.told == [("started", 0)]
        assert second.told == []
        assert (first.leader.is_leader, second.leader.is_leader) == (True, False)
        assert await holder(cluster) == "a"
        # One read at first, then one write in each period: no read is needed in between.
        assert sum(call.verb == "get" for call in first.api.calls) == 1
        assert 120 <= len(first.api.writes) <= 190

    play(scenario)


def test_after_a_kill_another_leads_within_20_seconds() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        for seed in range(20):
            first = Candidate(cluster, f"a{seed}", seed).start()
            await asyncio.sleep(20)
            second = Candidate(cluster, f"b{seed}", seed + 100).start()
            await asyncio.sleep(20 + seed / 7)
            assert first.leader.is_leader
            await first.kill()
            killed = virtual_time.now()
            while not second.leader.is_leader:
                assert not first.leader.is_leader or virtual_time.now() < killed + 10
                await asyncio.sleep(0.1)
            assert 10 < virtual_time.now() - killed <= 20
            await second.leader.release()

    play(scenario)


def test_after_a_release_another_leads_within_2_seconds() -> None:
    """A handover may take 3 s: the rest is for the old leader's last writes."""

    async def scenario(cluster: MemoryApiServer) -> None:
        for seed in range(20):
            first = Candidate(cluster, f"a{seed}", seed).start()
            await asyncio.sleep(20)
            second = Candidate(cluster, f"b{seed}", seed + 100).start()
            await asyncio.sleep(20 + seed / 7)
            await first.leader.release()
            assert not first.leader.is_leader
            released = virtual_time.now()
            await asyncio.sleep(2)
            assert second.leader.is_leader
            assert second.told[0][1] - (released - 1000) <= 2
            assert first.words == ["started"]  # who gives it up has not lost it
            await second.leader.release()

    play(scenario)


def test_one_of_many_that_see_a_free_lease_gets_it() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        candidates = [Candidate(cluster, f"c{number}", number).start() for number in range(10)]
        await asyncio.sleep(30)
        assert sum(candidate.leader.is_leader for candidate in candidates) == 1

    play(scenario)


def test_a_restarted_container_takes_its_own_lease_back_at_once() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        await first.kill()
        again = Candidate(cluster, "a", 2).start()
        await asyncio.sleep(0.1)
        assert again.leader.is_leader

    play(scenario)


def test_a_release_gives_up_a_renewal_that_is_on_its_way() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        # Its last renewal was taken, but the reply did not come back before the end.
        await first.kill()
        lease = await cluster.get(LEASE, "system", "hardened-operator")
        await cluster.merge_patch(LEASE, "system", "hardened-operator", {"spec": {"renewTime": "2030-01-01T00:00:09.000000Z"}})
        assert lease["spec"]["holderIdentity"] == "a"
        await first.leader.release()
        assert await holder(cluster) == ""

    play(scenario)


@pytest.mark.parametrize("served", ["before the release, and answered after it", "after the release"])
def test_a_look_that_is_on_its_way_takes_nothing_back(served: str) -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        update, get = first.api.update, first.api.get
        begun, goes_on = asyncio.Event(), asyncio.Event()

        async def lost(*_: Any) -> Any:
            raise TryAgain("lost")

        async def slow(*given: Any) -> Any:
            first.api.get = get  # type: ignore[method-assign]
            seen = None if served.startswith("after") else await get(*given)
            begun.set()
            await goes_on.wait()
            return seen or await get(*given)

        # Whoever does not know what became of its last renewal looks first.
        first.api.update, first.api.get = lost, slow  # type: ignore[method-assign]
        await begun.wait()
        first.api.update = update  # type: ignore[method-assign]
        assert first.leader.is_leader
        releasing = asyncio.create_task(first.leader.release())
        if served.startswith("after"):
            await releasing
        else:
            await asyncio.sleep(0)
        goes_on.set()
        for _ in range(20):
            await asyncio.sleep(0)
            assert not first.leader.is_leader
        await releasing
        await asyncio.sleep(5)
        assert await holder(cluster) == ""
        assert first.words == ["started"]

    play(scenario)


def test_a_release_that_fails_raises_nothing_and_a_standby_releases_nothing() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        second = Candidate(cluster, "b", 2).start()
        await asyncio.sleep(3)
        await second.leader.release()
        assert await holder(cluster) == "a"

        def cut(call: Call) -> None:
            raise TryAgain("partitioned")

        first.api.before = cut
        await first.leader.release()
        assert not first.leader.is_leader
        assert await holder(cluster) == "a"

    play(scenario)
