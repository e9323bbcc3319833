"""Migrations in the small world of releases: whatever happens, none is made twice, and none is left that should be undone."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.core.machines import desired, policy, step
from tests.core.release.test_release_properties import EVENTS, REVISIONS, TERMS, TwoStacks, happen

from e2e.samples import drawn
from hardened.api.steps import Step
from hardened.core.model.input import Input, MigrationRun, Verdict
from hardened.core.model.state import Migration, ReleaseState
from hardened.core.model.target import DesiredState, Stack, Target
from hardened.core.model.transition import Transition

MIGRATING = replace(
    TERMS,
    release=policy(
        migrates_within=timedelta(minutes=5), progress_deadline=TERMS.progress_deadline, keep_previous=TERMS.keep_previous
    ).release,
)
#: The migration of `stuck` fails.
ALL = (*REVISIONS, "stuck")
_Release = tuple[str, str]


def release_of(state: ReleaseState) -> _Release:
    return state.target.revision, state.started_at.isoformat()


@dataclass
class MigratingStacks(TwoStacks):
    """marked, running, ended: releases whose migration is marked, runs, or has ended; undone: those whose migration was; served: those
    that traffic was led to, as far as anybody can tell: from the record of the cutover on; is_late: they are undone then, too."""

    marked: set[_Release] = field(default_factory=set)
    running: set[_Release] = field(default_factory=set)
    ended: set[_Release] = field(default_factory=set)
    undone: set[_Release] = field(default_factory=set)
    served: set[_Release] = field(default_factory=set)
    is_late: bool = False

    def view(self) -> Input:
        return replace(super().view(), migration=self.run())

    def run(self) -> MigrationRun:
        if self.state is None:
            return MigrationRun(is_busy=bool(self.running))
        mine = release_of(self.state)
        migrated = (Verdict.FAILED if mine[0] == "stuck" else Verdict.PASSED) if mine in self.ended else Verdict.UNKNOWN
        is_made = mine in self.running | self.ended
        if self.state.migration and not is_made:
            migrated = Verdict.FAILED
        return MigrationRun(
            is_marked=mine in self.marked,
            is_made=is_made,
            migrated=(migrated, ""),
            undo_within=timedelta(minutes=5) if mine in self.marked else None,
            undoes_late=self.is_late,
            is_undo_made=mine in self.undone,
            undone=(Verdict.PASSED, ""),
        )

    def next(self) -> Transition:
        return step(self.state, self.view(), MIGRATING, self.now)

    def desired(self) -> DesiredState:
        return desired(self.state, self.view(), MIGRATING)

    def is_empty(self, target: Target) -> bool:
        """Whether no pod of a place is left."""
        stack = self.stacks.get(target.color, Stack(""))
        return stack.revision != target.revision or stack.wanted == 0

    def writes(self) -> Iterator[None]:
        self.now += timedelta(milliseconds=1)  # no two releases begin at the same moment
        for _ in range(16):
            found = self.next()
            if found.migrates:
                assert self.state
                self.marked.add(release_of(self.state))
                yield
                continue
            if found.promotes:
                self.promoted.append(found.promotes)
                yield
            if found.rejects:
                self.rejected.add(found.rejects.key)
                yield
            if found.state == self.state and not found.promotes and not found.rejects:
                break
            self.state = found.state
            if self.state and self.state.step is Step.CUTOVER:
                self.served.add(release_of(self.state))
            yield
        yield from self._make()
        yield from self._bring(self.desired())

    def _make(self) -> Iterator[None]:
        state = self.state
        if state is None:
            return
        mine = release_of(state)
        if state.step is Step.MIGRATE and state.migration is None and mine in self.marked and mine not in self.running | self.ended:
            assert not self.running, "two migrations at a time"
            self.running.add(mine)
            yield
        if state.step is Step.UNDO and state.migration is Migration.DONE and self.is_empty(state.target) and mine not in self.undone:
            assert mine in self.ended
            self.undone.add(mine)
            yield

    def _change(self, color: str, live: Stack | None, after: Stack) -> None:
        if after.wanted and after.revision not in self.promoted:
            assert self.state
            assert self.state.migration is Migration.DONE, "pods before their migration has ended"
        super()._change(color, live, after)

    def moving(self) -> tuple[object, ...]:
        return *super().moving(), len(self.marked), len(self.running), len(self.ended), len(self.undone)

    def pods(self) -> None:
        super().pods()
        self.ended |= self.running
        self.running.clear()


@given(st.lists(st.one_of(EVENTS.filter(lambda e: e[0] != "led by hand"), st.tuples(st.just("spec"), st.sampled_from(ALL))), max_size=40))
@drawn(150)
def test_whatever_happens_no_migration_is_left_half_done(events: list[tuple[str, object]]) -> None:
    world = MigratingStacks()
    for what, how in events:
        happen(world, what, how)
        assert len(world.running) <= 1
    world.calm()
    assert world.state is None
    assert not world.running
    assert world.selector == world.stable
    if ("status lost", None) not in events:
        done = {release for release in world.ended if release[0] != "stuck"}
        kept = {release for release in done if release[0] in world.promoted} | world.served
        assert done - kept <= world.undone
    assert "stuck" not in {revision for revision, _ in world.undone}
    assert "stuck" not in world.promoted
