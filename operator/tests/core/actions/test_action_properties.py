"""Requests by hand in a world in which anything may happen at any time, and the operator be killed at any write."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache

from hypothesis import event, given
from hypothesis import strategies as st
from tests.core.machines import desired, step
from tests.core.release.test_release_properties import EVENTS, REVISIONS, START, TERMS, TwoStacks, happen

from e2e.samples import drawn
from hardened.api.action import HardenedServiceActionSpec
from hardened.api.parse_action import HardenedServiceAction
from hardened.api.steps import Step
from hardened.core.actions import admission
from hardened.core.actions.log import LogEntry
from hardened.core.actions.ruling import AdmissionContext, RollbackTarget
from hardened.core.model.input import Input
from hardened.core.model.release_policy import ReleasePolicy
from hardened.core.model.target import COLORS, Stack, Target, other

VERBS = ("Rollback", "Promote", "Abort", "Retry", "Pause", "Resume")


@dataclass
class AskedStacks(TwoStacks):
    """asked: the actions that are there; answered: the names of those whose own status says how they ended."""

    is_manual: bool = False
    asked: list[HardenedServiceAction] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    entries: tuple[LogEntry, ...] = ()

    def ask(self, verb: str, revision: str | None = None) -> None:
        named = revision or (self.state.target.revision if self.state else self.wanted) if verb in ("Promote", "Abort") else revision
        spec = HardenedServiceActionSpec.model_construct(
            service="shop", action=verb, revision=named or (self.wanted if verb == "Retry" else None), reason=None, requested_by="jane"
        )
        name = f"a{len(self.asked)}"
        self.asked.append(HardenedServiceAction(name, "shop", name, self.now, spec))

    def writes(self) -> Iterator[None]:
        by = replace(TERMS, release=TERMS.release.model_copy(update={"promotion": "Manual" if self.is_manual else "Automatic"}))
        for _ in range(16):
            seen = self.view()
            stakes = AdmissionContext(self.state, replace(seen, policy=by), self.targets, str)
            new = [a for a in self.asked if a.name not in self.answered | {e.name for e in self.entries}]
            ruling = admission.judged(new, self.entries, stakes, self.now)
            retried = admission.pending_retry(self.entries)
            if retried in self.rejected:
                self.rejected.discard(retried)
                yield
                continue
            view = self._asked(seen, ruling)
            following = step(ruling.state, view, by, self.now)
            is_marked = following.rejects is None or following.rejects.key in self.rejected
            if following.promotes or not is_marked:
                if ruling.is_news:
                    self.state, self.entries = ruling.state, ruling.entries
                    yield
                    continue
                assert ruling.state
                if following.rejects and not is_marked:
                    assert following.rejects.revision != self.stable_revision() or following.promotes, "what serves on is rejected"
                    self.rejected.add(following.rejects.key)
                    yield
                if following.promotes:
                    assert self.selector == ruling.state.target
                    self.promoted.append(following.promotes)
                    yield
                continue
            entries = admission.settled(ruling.entries, following.state, view, self.rejected, following.failed, self.now)
            if (following.state, entries) == (self.state, self.entries):
                break
            self._check(ruling, entries, following.state is not None and following.state.step is Step.CUTOVER, view)
            self.state, self.entries = following.state, entries
            yield
        else:
            raise AssertionError(f"it moves for ever: {self.state}, {self.entries}")
        self.answered |= {e.name for e in self.entries if e.finished_at}
        yield from self._brought_in_line(by)

    def targets(self) -> list[RollbackTarget]:
        last = {revision: number for number, revision in enumerate(self.promoted) if revision not in self.rejected}
        return [RollbackTarget(revision, number) for revision, number in sorted(last.items(), key=lambda item: -item[1])]

    def stable_revision(self) -> str:
        return self.stable.revision if self.stable else ""

    def _asked(self, seen: Input, ruling: admission.Admission) -> Input:
        return replace(
            seen,
            rollback=admission.pending_rollback(ruling.entries),
            abort=admission.pending_abort(ruling.entries, self.state),
            rejected=seen.rejected - {admission.pending_retry(ruling.entries)},
        )

    def _check(self, ruling: admission.Admission, entries: tuple[LogEntry, ...], is_cutover: bool, view: Input) -> None:
        known = {e.name: e for e in self.entries}
        for entry in entries:
            before = known.get(entry.name)
            if before is None or before.phase != entry.phase:
                event(f"{entry.action} {entry.phase}")
            assert before is None or before.phase in ("Running", entry.phase), "what is over stays as it is"
            if entry.action == "Rollback" and entry.phase == "Succeeded" and before and before.phase == "Running":
                assert self.stable_revision() == entry.revision
                assert entry.left in self.rejected
            if entry.action == "Rollback" and before is None and entry.phase == "Running" and view.stable:
                stack = view.stacks.get(other(view.stable.color), Stack(""))
                is_up = stack.revision == entry.revision and stack.is_settled and stack.available >= self.replicas
                # Pods that are still to go after it was made smaller are waited for.
                is_free = self.state is None or self.state.step is Step.KEEP
                assert is_cutover or not is_up or not is_free or self.selector not in (None, view.stable), (
                    "it could have been flipped at once"
                )

    def _brought_in_line(self, by: ReleasePolicy) -> Iterator[None]:
        view = self.view()
        wanted = desired(self.state, view, by)
        for color in COLORS:
            mine, live = wanted.stacks.get(color, Stack("")), self.stacks.get(color)
            if live is None and not mine.revision:
                continue
            after = Stack(mine.revision or (live.revision if live else ""), mine.wanted if mine.revision else 0)
            if live is None or (live.revision, live.wanted) != (after.revision, after.wanted):
                assert not (self.state and self.state.paused_at and color == self.state.target.color), "a paused release writes"
                self._change(color, live, after)
                yield
        if wanted.active_target != self.selector:
            to = wanted.active_target
            if self.is_manual and to is not None and to != self.stable:
                assert self.state
                assert self.state.is_approved or self.state.is_rollback, "nobody promoted it"
            self._flip(to)
            yield

    def calm(self) -> None:
        quiet, self.has_room, self.can_look = 0, True, True
        while quiet < 50:  # longer than any deadline
            before = (self.state, self.entries, self.selector, dict(self.stacks), len(self.promoted), len(self.rejected))
            if self.state and self.state.paused_at:
                self.ask("Resume")
            if self.state and self.state.step is Step.APPROVAL and not self.state.is_approved:
                self.ask("Promote")
            self.pods()
            self.look()
            self.follow()
            after = (self.state, self.entries, self.selector, dict(self.stacks), len(self.promoted), len(self.rejected))
            quiet = quiet + 1 if before == after else 0
            self.now += timedelta(seconds=3)
            assert self.now < START + timedelta(hours=6), "never quiet"


#: What somebody else does with the switch Service at the wrong moment is the matter of the test of releases.
OTHERS = EVENTS.filter(lambda e: e[0] != "led by hand")
ASKED = st.tuples(
    st.just("ask"), st.tuples(st.sampled_from(("Rollback", *VERBS)), st.none() | st.sampled_from(REVISIONS), st.none() | st.integers(1, 4))
)


@cache
def begun(how: str) -> AskedStacks:
    """new: nothing was released yet; released: two revisions were; kept: one more just was, and the previous stack is up; watched: it is
    about to be."""
    world = AskedStacks()
    for revision in () if how == "new" else ("one", "two"):
        world.wanted = revision
        world.calm()
    if how in ("kept", "watched"):
        world.wanted = "one"
        while not (world.state and world.state.step is (Step.KEEP if how == "kept" else Step.VERIFY_AFTER)):
            world.pods()
            world.look()
            world.follow()
            world.now += timedelta(seconds=1)
    return world


@given(st.booleans(), st.sampled_from(["new", "released", "kept", "watched"]), st.lists(st.one_of(OTHERS, ASKED), max_size=30))
@drawn(300)
def test_whatever_is_asked_for_it_ends_where_the_spec_leads_or_where_it_was(
    is_manual: bool, how_far: str, events: list[tuple[str, object]]
) -> None:
    world = deepcopy(begun(how_far))
    world.is_manual = is_manual
    for what, how in events:
        if what == "selector" and world.state and world.state.step is Step.KEEP:
            continue  # the previous stack is kept from the cutover on, and not from when this is put right
        if what == "ask":
            assert isinstance(how, tuple)
            world.ask(how[0], how[1])
            world.look(kill_after=how[2])
        elif what == "status lost":
            world.state, world.entries = None, ()
            world.left.clear()  # since when a stack was left went with it
        else:
            happen(world, what, how)
    world.calm()
    assert world.state is None
    assert not [e for e in world.entries if e.phase == "Running"]
    if world.wanted in ("one", "two") and world.wanted not in world.rejected:
        assert world.stable
        assert world.stable.revision == world.wanted
    assert world.selector == world.stable
    running = {color: stack.wanted for color, stack in world.stacks.items() if stack.wanted}
    assert running == ({world.stable.color: world.replicas} if world.stable else {})
    assert isinstance(world.selector, Target | None)
