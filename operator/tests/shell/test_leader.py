"""Elections over the in-memory cluster, in virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.memory.api_server import Call, MemoryApiServer
from tests.shell import virtual_time

from hardened.errors import TryAgain
from hardened.shell.kinds import LEASE
from hardened.shell.leader import Leader
from hardened.shell.settings import Settings


class Candidate:
    """One process: its own caller of the shared cluster, and what it was told."""

    def __init__(self, cluster: MemoryApiServer, name: str, seed: int = 1) -> None:
        self.api = cluster.outsider(name)
        self.told: list[tuple[str, float]] = []
        self.offset = 0.0
        self.runs = asyncio.Event()
        self.runs.set()
        settings = Settings(identity=name, lease_namespace="system")
        self.leader = Leader(
            self.api,
            settings,
            clock=lambda: virtual_time.now() + self.offset,
            rng=random.Random(seed),
            on_started=lambda: self.told.append(("started", virtual_time.now() - 1000)),
            on_lost=lambda: self.told.append(("lost", virtual_time.now() - 1000)),
            sleep=self._sleep,
        )
        self.task: asyncio.Task[None] | None = None

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.runs.wait()  # SIGSTOP

    def start(self) -> "Candidate":
        self.task = asyncio.create_task(self.leader.run())
        return self

    async def kill(self) -> None:
        """SIGKILL: nothing is released."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.told]


Scenario = Callable[[MemoryApiServer], Awaitable[None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        await scenario(MemoryApiServer(["system"]))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    virtual_time.run(main())


async def holder(cluster: MemoryApiServer) -> Any:
    return (await cluster.get(LEASE, "system", "hardened-operator"))["spec"]["holderIdentity"]


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


def test_one_of_many_that_see_a_free_lease_gets_it() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        candidates = [Candidate(cluster, f"c{number}", number).start() for number in range(10)]
        await asyncio.sleep(30)
        assert sum(candidate.leader.is_leader for candidate in candidates) == 1

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


def test_a_restarted_container_takes_its_own_lease_back_at_once() -> None:
    async def scenario(cluster: MemoryApiServer) -> None:
        first = Candidate(cluster, "a").start()
        await asyncio.sleep(20)
        await first.kill()
        again = Candidate(cluster, "a", 2).start()
        await asyncio.sleep(0.1)
        assert again.leader.is_leader

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
