"""Revisions that replace each other, each with a migration, in a small world: whatever happens, none is left that should be undone, nothing
comes up before its own, and with Recreate nothing beside another."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.machines import desired, step
from tests.core.release.test_migration_properties import ALL, MIGRATING, MigratingStacks, release_of
from tests.core.release.test_release_properties import EVENTS, happen

from e2e.samples import drawn
from hardened.api.strategy import Strategy
from hardened.core.model.input import InPlace, Input, Verdict
from hardened.core.model.state import Migration
from hardened.core.model.target import COLORS, DesiredState, Stack, Target, Traffic, other
from hardened.core.model.transition import Transition
from hardened.core.release.in_place.pods import running_target


@dataclass
class InPlaceStacks(MigratingStacks):
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
        found = step(self.state, self.view(), MIGRATING, self.now)
        if found.promotes and self.state:
            self.color = self.state.target.color
        if found.state and not self.promoted:
            self.first.add(release_of(found.state))
        return found

    def desired(self) -> DesiredState:
        return desired(self.state, self.view(), MIGRATING)

    def view(self) -> Input:
        stacks = {color: self._stack(color, asked) for color, asked in self.stacks.items()}
        tried = self.state.target.revision if self.state else ""
        after = Verdict.FAILED if tried in ("bad", "worse") else Verdict.PASSED
        seen = Input(
            self.wanted, self.wanted, self.replicas, self.stable, stacks, self._traffic(), MIGRATING, self.now, self.strategy,
            in_place=InPlace(self.color), rejected=frozenset(self.rejected), after=(after, ""), migration=self.run(),
        )  # fmt: skip
        target = running_target(self.state, self.stable)
        if self.strategy == "RollingUpdate" or target is None:
            return seen
        mine, beside = self.stacks.get(target.color), self.stacks.get(other(target.color), Stack(""))
        is_clear = mine is not None and mine.revision == target.revision and beside.wanted == 0 and not self.living - {target}
        is_rest = mine is None or (mine.wanted == 0 and all(each.color != target.color for each in self.living))
        is_free = is_rest or (mine is not None and mine.revision == target.revision)
        return replace(seen, in_place=InPlace(self.color, is_clear=is_clear, has_clients=True, is_free=is_free))

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

    def is_empty(self, target: Target) -> bool:
        asked = self.stacks.get(target.color, Stack(""))
        return target not in self.living and (asked.revision != target.revision or asked.wanted == 0)

    def _bring(self, wanted: DesiredState) -> Iterator[None]:
        for color in COLORS:
            mine, live = wanted.stacks.get(color), self.stacks.get(color)
            after = Stack(mine.revision, mine.wanted) if mine else Stack(live.revision) if live else None
            if after and after != live:
                self._grow(color, live, after)
                self.stacks[color] = after
                yield
        if wanted.active_target != self.selector:
            self.selector, self.has_followed = wanted.active_target, False
            yield

    def _grow(self, color: str, live: Stack | None, after: Stack) -> None:
        target = Target(color, after.revision)
        if after.wanted and after.revision not in self.promoted:
            assert self.state
            assert self.state.migration is Migration.DONE, "pods before their migration has ended"
        if self.strategy == "Recreate" and after.wanted > (live.wanted if live and live.revision == after.revision else 0):
            assert not self.living - {target}, f"{target} comes up beside {self.living}"
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
        self.up = {target for target in asked if target.revision != "dead"}
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

    def moving(self) -> tuple[object, ...]:
        return *super().moving(), set(self.living), set(self.up)

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
@drawn(60)
def test_in_place_no_migration_is_left_half_done(strategy: Strategy, is_late: bool, events: list[tuple[str, object]]) -> None:
    world = InPlaceStacks(strategy=strategy, is_late=is_late)
    for what, how in events:
        if what == "goes on":
            world.go_on(how)
        happen(world, what, how)
        assert len(world.running) <= 1
    world.calm()
    assert world.state is None
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
