"""A leader that is stopped, cut off or robbed of its Lease knows in time whether it still leads."""

import asyncio
from typing import Any

import pytest
from tests.memory.api_server import Call, MemoryApiServer
from tests.shell import virtual_time
from tests.shell.candidates import Candidate, holder, play

from hardened.errors import TryAgain
from hardened.shell.kinds import LEASE


def test_who_is_stopped_for_a_minute_does_not_believe_that_it_leads() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(5)
        second = Candidate(cluster, "b", 2).start()
        first.runs.clear()
        while not second.leader.is_leader:
            await asyncio.sleep(0.1)
            assert not (first.leader.is_leader and second.leader.is_leader)
        await asyncio.sleep(60)
        assert not first.leader.is_leader
        first.runs.set()
        await asyncio.sleep(3)
        assert first.words == ["started", "lost"]
        assert first.task is not None
        assert first.task.done()
        assert await holder(cluster) == "b"

    play(scenario)


def test_who_cannot_renew_stops_at_the_deadline_before_another_begins() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        second = Candidate(cluster, "b", 2).start()
        cut_at = virtual_time.now() - 1000

        def cut(call: Call) -> None:
            raise TryAgain("partitioned")

        first.api.before = cut
        while not second.leader.is_leader:
            assert not (first.leader.is_leader and second.leader.is_leader)
            await asyncio.sleep(0.05)
        assert first.words == ["started", "lost"]
        assert 7 <= first.told[1][1] - cut_at <= 10
        assert second.told[0][1] > first.told[1][1]

    play(scenario)


def test_a_call_that_never_returns_does_not_hold_up_the_deadline() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)

        async def hang(*_: Any) -> Any:
            await asyncio.sleep(1e9)

        first.api.update = first.api.get = hang  # type: ignore[method-assign, assignment]
        cut_at = virtual_time.now() - 1000
        await asyncio.sleep(11)
        assert first.words == ["started", "lost"]
        assert first.told[1][1] - cut_at <= 10

    play(scenario)


@pytest.mark.parametrize("lost", ["request", "reply"])
def test_a_lost_renewal_is_made_up_for(lost: str) -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        failures = [1, 1]

        def lose(call: Call) -> None:
            if call.is_write and failures:
                failures.pop()
                raise TryAgain("lost")

        if lost == "request":
            first.api.before = lose
        else:
            first.api.after = lose
        await asyncio.sleep(60)
        assert not failures
        assert first.words == ["started"]
        assert first.leader.is_leader

    play(scenario)


def test_a_leader_that_finds_another_in_the_lease_stops_at_its_next_look() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        await cluster.merge_patch(LEASE, "system", "hardened-operator", {"spec": {"holderIdentity": "person"}})
        await asyncio.sleep(5)
        assert first.words == ["started", "lost"]
        assert await holder(cluster) == "person"

    play(scenario)


def test_a_leader_whose_lease_was_deleted_makes_it_anew() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        body = await cluster.get(LEASE, "system", "hardened-operator")
        await cluster.delete(LEASE, "system", "hardened-operator", uid=body["metadata"]["uid"])
        await asyncio.sleep(6)
        assert first.words == ["started"]
        assert await holder(cluster) == "a"

    play(scenario)


def test_who_is_stopped_between_sending_and_the_reply_counts_from_the_sending() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a")

        def stop(call: Call) -> None:
            if call.is_write and not first.offset:
                first.offset = 60.0  # a minute passes before it sees the reply

        first.api.after = stop
        first.start()
        await asyncio.sleep(0.1)
        assert first.told == []
        assert not first.leader.is_leader
        await asyncio.sleep(5)
        assert first.words == ["started"]

    play(scenario)
