"""Revisions that replace each other, each with a migration, in a small world: whatever happens, none is left that should be undone, nothing
comes up before its own, and with Recreate nothing beside another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.test_migration_properties import ALL, MIGRATING, MigratingWorld, release_of
from tests.core.test_release_properties import EVENTS, happen

from hardened.api.strategy import Strategy
from hardened.core.model.release import COLORS, DesiredState, Migration, Stack, Target, Traffic, Transition, Verdict, other
from hardened.core.release import in_place
from hardened.core.release.in_place import InPlace


@dataclass
class InPlaceWorld(MigratingWorld):
    """stacks: what each Deployment asks for; living: places of which a pod is left; up: those whose pods are available; first: releases
    before which none was promoted."""

    strategy: Strategy = "RollingUpdate"
    color: str = COLORS[0]
    living: set[Target] = field(default_factory=set)
    up: set[Target] = field(default_factory=set)
    first: set[tuple[str, str]] = field(default_factory=set)

    @property
    def stable(self) -> Target | None:
        return Target(self.color, self.promoted[-1]) if self.promoted else None

    def next(self) -> Transition:
        found = in_place.step(self.record, self.view(), MIGRATING, self.now)
        if found.promotes and self.record:
            self.color = self.record.place.color
        if found.record and not self.promoted:
            self.first.add(release_of(found.record))
        return found

    def demand(self) -> DesiredState:
        return in_place.demand(self.record, self.view())

    def view(self) -> InPlace:
        stacks = {color: self._stack(color, asked) for color, asked in self.stacks.items()}
        target = self.record.place.revision if self.record else ""
        after = Verdict.FAILED if target in ("bad", "worse") else Verdict.PASSED
        common = {"wanted": self.wanted, "key": self.wanted, "replicas": self.replicas, "stable": self.stable, "stacks": stacks}
        seen = InPlace(
            **common, traffic=self._traffic(), rejected=frozenset(self.rejected), after=(after, ""), hooks=self.hooks(),
            strategy=self.strategy, color=self.color,
        )  # type: ignore[arg-type]  # fmt: skip
        place = in_place.target(self.record, self.stable)
        if self.strategy == "RollingUpdate" or place is None:
            return seen
        mine, beside = self.stacks.get(place.color), self.stacks.get(other(place.color), Stack(""))
        is_clear = mine is not None and mine.revision == place.revision and beside.wanted == 0 and not self.living - {place}
        is_rest = mine is None or (mine.wanted == 0 and all(each.color != place.color for each in self.living))
        is_free = is_rest or (mine is not None and mine.revision == place.revision)
        return InPlace(**{**vars(seen), "has_clients": True, "is_clear": is_clear, "is_free": is_free})

    def _stack(self, color: str, asked: Stack) -> Stack:
        mine = Target(color, asked.revision)
        is_settled = all(each == mine for each in self.living if each.color == color)
        return Stack(asked.revision, asked.wanted, asked.wanted if is_settled and mine in self.up else 0, is_settled)

    def _traffic(self) -> Traffic:
        if self.strategy == "RollingUpdate":
            asked = self.stacks.get(self.color)
            return Traffic(Target(self.color, asked.revision) if asked and self.selector else None)
        led = self.selector if isinstance(self.selector, Target) else None
        return Traffic(led, ready=self.replicas if led in self.up and self.has_followed else 0, has_followed=self.has_followed)

    def is_empty(self, place: Target) -> bool:
        asked = self.stacks.get(place.color, Stack(""))
        return place not in self.living and (asked.revision != place.revision or asked.wanted == 0)

    def _bring(self, wanted: DesiredState) -> Iterator[None]:
        for color in COLORS:
            mine, live = wanted.stacks.get(color), self.stacks.get(color)
            after = Stack(mine.revision, mine.wanted) if mine else Stack(live.revision) if live else None
            if after and after != live:
                self._grow(color, live, after)
                self.stacks[color] = after
                yield
        if wanted.leads_to != self.selector:
            self.selector, self.has_followed = wanted.leads_to, False
            yield

    def _grow(self, color: str, live: Stack | None, after: Stack) -> None:
        place = Target(color, after.revision)
        if after.wanted and after.revision not in self.promoted:
            assert self.record
            assert self.record.migration is Migration.DONE, "pods before their migration has ended"
        if self.strategy == "Recreate" and after.wanted > (live.wanted if live and live.revision == after.revision else 0):
            assert not self.living - {place}, f"{place} comes up beside {self.living}"
            assert self.stacks.get(other(color), Stack("")).wanted == 0

    def _make(self) -> Iterator[None]:
        undone = set(self.undone)
        yield from super()._make()
        for release in self.undone - undone:
            assert self.is_late or release not in self.served or release in self.first, "live writes may need its schema"

    def pods(self) -> None:
        """Pods come up, where they can, and migrations end; what is not asked for any more leaves, but may take its time."""
        asked = {Target(color, stack.revision) for color, stack in self.stacks.items() if stack.wanted}
        self.living |= asked
        self.up = {place for place in asked if place.revision != "dead"}
        self.ended |= self.running
        self.running.clear()

    def follow(self) -> None:
        super().follow()
        self.living &= {Target(color, stack.revision) for color, stack in self.stacks.items() if stack.wanted}

    def go_on(self, seconds: object) -> None:
        """Nothing happens but what the cluster does by itself: as often as it takes to get into any step."""
        assert isinstance(seconds, int)
        for _ in range(seconds):
            self.pods()
            self.look()
            self.follow()
            self.now += timedelta(seconds=1)

    def kill_pods(self) -> None:
        self.up.clear()


HAPPENINGS = st.one_of(
    EVENTS.filter(lambda event: event[0] not in ("led by hand", "selector")),
    st.tuples(st.just("spec"), st.sampled_from(ALL)),
    st.tuples(st.just("scale"), st.sampled_from([0, 2, 2, 2])),
    st.tuples(st.just("goes on"), st.integers(1, 24)),
)


@pytest.mark.parametrize("is_late", [False, True], ids=["undone before the cutover", "undone after it, too"])
@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
@given(events=st.lists(HAPPENINGS, max_size=20))
@settings(max_examples=60, deadline=None)
def test_in_place_no_migration_is_left_half_done(strategy: Strategy, is_late: bool, events: list[tuple[str, object]]) -> None:
    world = InPlaceWorld(strategy=strategy, is_late=is_late)
    for what, how in events:
        if what == "goes on":
            world.go_on(how)
        happen(world, what, how)
        assert len(world.running) <= 1
    world.calm()
    assert world.record is None
    assert not world.running
    if world.wanted in ("one", "two") and world.wanted not in world.rejected and world.replicas:
        assert world.stable
        assert world.stable.revision == world.wanted
    running = {Target(color, stack.revision): stack.wanted for color, stack in world.stacks.items() if stack.wanted}
    assert running == ({world.stable: world.replicas} if world.stable and world.replicas else {})
    if ("status lost", None) not in events:
        done = {release for release in world.ended if release[0] != "stuck"}
        kept = {release for release in done if release[0] in world.promoted} | (set() if is_late else world.served)
        assert done - kept <= world.undone
    assert "stuck" not in {revision for revision, _ in world.undone}
    assert "stuck" not in world.promoted
