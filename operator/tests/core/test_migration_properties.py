"""Migrations in the small world of releases: whatever happens, none is made twice, and none is left that should be undone."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.test_release_properties import EVENTS, REVISIONS, TERMS, World, happen

from hardened.core.model.release import DesiredState, Hooks, Input, Migration, ReleaseState, Stack, Step, Target, Transition, Verdict
from hardened.core.release.machine import demand, step

MIGRATING = replace(TERMS, migrates_within=timedelta(minutes=5))
#: The migration of `stuck` fails.
ALL = (*REVISIONS, "stuck")
_Release = tuple[str, str]


def release_of(record: ReleaseState) -> _Release:
    return record.place.revision, record.started_at.isoformat()


@dataclass
class MigratingWorld(World):
    """marked, running, ended: releases whose migration is marked, runs, or has ended; undone: those whose migration was; served: those
    that traffic was led to, as far as anybody can tell: from the record of the cutover on; is_late: they are undone then, too."""

    marked: set[_Release] = field(default_factory=set)
    running: set[_Release] = field(default_factory=set)
    ended: set[_Release] = field(default_factory=set)
    undone: set[_Release] = field(default_factory=set)
    served: set[_Release] = field(default_factory=set)
    is_late: bool = False

    def view(self) -> Input:
        return replace(super().view(), hooks=self.hooks())

    def hooks(self) -> Hooks:
        if self.record is None:
            return Hooks(is_busy=bool(self.running))
        mine = release_of(self.record)
        migrated = (Verdict.FAILED if mine[0] == "stuck" else Verdict.PASSED) if mine in self.ended else Verdict.UNKNOWN
        is_made = mine in self.running | self.ended
        if self.record.migration and not is_made:
            migrated = Verdict.FAILED
        return Hooks(
            is_marked=mine in self.marked,
            is_made=is_made,
            migrated=(migrated, ""),
            undo_within=timedelta(minutes=5) if mine in self.marked else None,
            undoes_late=self.is_late,
            is_undo_made=mine in self.undone,
            undone=(Verdict.PASSED, ""),
        )

    def next(self) -> Transition:
        return step(self.record, self.view(), MIGRATING, self.now)

    def demand(self) -> DesiredState:
        return demand(self.record, self.view(), MIGRATING)

    def is_empty(self, place: Target) -> bool:
        """Whether no pod of a place is left."""
        stack = self.stacks.get(place.color, Stack(""))
        return stack.revision != place.revision or stack.wanted == 0

    def writes(self) -> Iterator[None]:
        self.now += timedelta(milliseconds=1)  # no two releases begin at the same moment
        for _ in range(16):
            found = self.next()
            if found.migrates:
                assert self.record
                self.marked.add(release_of(self.record))
                yield
                continue
            if found.promotes:
                self.promoted.append(found.promotes)
                yield
            if found.rejects:
                self.rejected.add(found.rejects.key)
                yield
            if found.record == self.record and not found.promotes and not found.rejects:
                break
            self.record = found.record
            if self.record and self.record.step is Step.CUTOVER:
                self.served.add(release_of(self.record))
            yield
        yield from self._make()
        yield from self._bring(self.demand())

    def _make(self) -> Iterator[None]:
        record = self.record
        if record is None:
            return
        mine = release_of(record)
        if record.step is Step.MIGRATE and record.migration is None and mine in self.marked and mine not in self.running | self.ended:
            assert not self.running, "two migrations at a time"
            self.running.add(mine)
            yield
        if record.step is Step.UNDO and record.migration is Migration.DONE and self.is_empty(record.place) and mine not in self.undone:
            assert mine in self.ended
            self.undone.add(mine)
            yield

    def _change(self, color: str, live: Stack | None, after: Stack) -> None:
        if after.wanted and after.revision not in self.promoted:
            assert self.record
            assert self.record.migration is Migration.DONE, "pods before their migration has ended"
        super()._change(color, live, after)

    def pods(self) -> None:
        super().pods()
        self.ended |= self.running
        self.running.clear()


@given(st.lists(st.one_of(EVENTS.filter(lambda e: e[0] != "led by hand"), st.tuples(st.just("spec"), st.sampled_from(ALL))), max_size=40))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_no_migration_is_left_half_done(events: list[tuple[str, object]]) -> None:
    world = MigratingWorld()
    for what, how in events:
        happen(world, what, how)
        assert len(world.running) <= 1
    world.calm()
    assert world.record is None
    assert not world.running
    assert world.selector == world.stable
    if ("status lost", None) not in events:
        done = {release for release in world.ended if release[0] != "stuck"}
        kept = {release for release in done if release[0] in world.promoted} | world.served
        assert done - kept <= world.undone
    assert "stuck" not in {revision for revision, _ in world.undone}
    assert "stuck" not in world.promoted
