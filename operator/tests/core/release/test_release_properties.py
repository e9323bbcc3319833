"""Releases in a small world of two stacks and one switch: anything may happen at any time, and the operator be killed at any write."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.machines import desired, policy, step

from e2e.samples import drawn
from hardened.api.steps import Step
from hardened.core.model.input import Input, Needs, RollbackRequest, Verdict
from hardened.core.model.reasons import Reason
from hardened.core.model.release_policy import LEAST_KEEP, LEAST_KEEP_REJECTED
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import COLORS, DesiredState, Stack, Target, Traffic
from hardened.core.release.pods import PATIENCE_BACK

START = datetime(2026, 1, 1, tzinfo=UTC)
#: `dead` never has an available pod; `bad` fails its checks before, `worse` only under live traffic.
REVISIONS = ("one", "two", "dead", "bad", "worse")
TERMS = policy(progress_deadline=timedelta(minutes=2), keep_previous=timedelta(minutes=1), has_checks_before=True)


@dataclass
class TwoStacks:
    """stacks: colour -> as it is; selector: what the switch leads to, "strange" for none of ours; followed: whether endpoints have.

    back: the rollback by hand that is under way; spared: what one that failed was to go back to, and when it failed.
    """

    wanted: str = "one"
    replicas: int = 2
    now: datetime = START
    state: ReleaseState | None = None
    promoted: list[str] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    stacks: dict[str, Stack] = field(default_factory=dict)
    selector: Target | str | None = None
    has_followed: bool = True
    left: dict[Target, datetime] = field(default_factory=dict)
    is_by_hand: bool = False  # somebody else led the switch to where it leads
    has_room: bool = True  # for more pods
    can_look: bool = True  # the pods of checks can be made
    is_drained: bool = False  # pods that are missing were taken away
    back: RollbackRequest | None = None
    spared: dict[Target, datetime] = field(default_factory=dict)

    @property
    def stable(self) -> Target | None:
        if not self.promoted:
            return None
        color = next(c for c in COLORS if self.stacks.get(c, Stack("")).revision == self.promoted[-1])
        return Target(color, self.promoted[-1])

    def view(self) -> Input:
        target = self.selector if isinstance(self.selector, Target) else None
        stack = self.stacks.get(target.color) if target else None
        ready = stack.available if stack and target and stack.revision == target.revision else 0
        traffic = Traffic(target, isinstance(self.selector, str), ready if self.has_followed else 0, self.has_followed)
        tried = self.state.target.revision if self.state else ""
        before = Verdict.UNKNOWN if not self.can_look else Verdict.FAILED if tried == "bad" else Verdict.PASSED
        after = Verdict.UNKNOWN if not self.can_look else Verdict.FAILED if tried == "worse" else Verdict.PASSED
        needs = Needs(has_no_room=not self.has_room, is_blind=not self.can_look, is_unwatched=not self.can_look)
        return Input(
            self.wanted, self.wanted, self.replicas, self.stable, {c: _counted(each) for c, each in self.stacks.items()}, traffic,
            TERMS, self.now, rejected=frozenset(self.rejected), before=(before, ""), after=(after, ""), rollback=self.back, needs=needs,
            is_proven=self.wanted in self.promoted and self.wanted not in self.rejected, is_taken_away=self.is_drained,
        )  # fmt: skip

    # ---- the operator

    def writes(self) -> Iterator[None]:
        """One look: yields after each write, where the operator may be killed."""
        for _ in range(12):
            view = self.view()
            found = step(self.state, view, TERMS, self.now)
            if found.state == self.state and not (found.promotes or found.rejects):
                break
            # The rejected one first: what was promoted last is stable.
            if found.rejects:
                is_waiting = self.state is not None and self.state.step in (Step.PREVIEW, Step.SCALE_UP)
                assert self.has_room or not is_waiting or self.back, "rejected for what the cluster lacks"
                is_asked = self.state is not None and self.state.step in (Step.VERIFY_BEFORE, Step.VERIFY_AFTER)
                blames = (Reason.NO_DATA, Reason.PROGRESS_DEADLINE_EXCEEDED)
                assert self.can_look or not is_asked or found.rejects.reason not in blames, "rejected since nobody could look"
                assert not (self.is_drained and found.rejects.reason is Reason.NO_PODS_AVAILABLE), "rejected for a drain"
                self.rejected.add(found.rejects.key)
                yield
            if found.promotes:
                assert self.state
                assert found.promotes == self.state.target.revision
                assert self.selector == self.state.target
                self.promoted.append(found.promotes)
                yield
            if found.failed:
                assert self.state
                self.spared[self.state.target], self.back = self.now, None
            if self.state and found.state and (self.state.step, found.state.step) == (Step.SCALE_UP, Step.CUTOVER):
                assert self.can_look or found.state.is_rollback, "led on, and nobody could watch"
            self.state = found.state
            self._settle()
            yield
        self._settle()
        yield from self._bring(desired(self.state, self.view(), TERMS))

    def ask_back(self) -> None:
        """Somebody asks to go back to the last promoted revision that does not serve, and was not rejected."""
        serving = self.state.target.revision if self.state and self.state.step in (Step.CUTOVER, Step.VERIFY_AFTER) else None
        serving = serving or (self.promoted[-1] if self.promoted else "")
        to = next((each for each in reversed(self.promoted) if each not in self.rejected | {serving}), None)
        if to and self.back is None and not (self.state and self.state.step is Step.SWITCH_BACK):
            self.back = RollbackRequest(to, Rejection(serving, serving, Reason.ROLLED_BACK, "jane", after_cutover=True))

    def _settle(self) -> None:
        """As rulings.settled."""
        is_quiet = self.state is None or self.state.step is Step.KEEP or self.state.confirmed_at is not None
        if self.back and is_quiet and self.stable and self.stable.revision == self.back.to:
            self.back = None

    def _bring(self, wanted: DesiredState) -> Iterator[None]:
        """In the order of a plan: what takes pods away comes last."""
        changes = list(self._changes(wanted))
        for color, live, after in changes:
            if not _takes_pods_away(live, after):
                self._change(color, live, after)
                yield
        if wanted.active_target != self.selector:
            self._flip(wanted.active_target)
            yield
        for color, live, after in changes:
            if _takes_pods_away(live, after):
                self._change(color, live, after)
                yield

    def _changes(self, wanted: DesiredState) -> Iterator[tuple[str, Stack | None, Stack]]:
        for color in COLORS:
            mine, live = wanted.stacks.get(color, Stack("")), self.stacks.get(color)
            if live is None and not mine.revision:
                continue
            after = Stack(mine.revision or (live.revision if live else ""), mine.wanted if mine.revision else 0)
            if live is None or (live.revision, live.wanted) != (after.revision, after.wanted):
                yield color, live, after

    def _change(self, color: str, live: Stack | None, after: Stack) -> None:
        if live is not None and live.revision != after.revision:
            assert live.pods == 0, f"{after} replaces the pods of {live} one by one"
        if live is not None and after.wanted < min(live.wanted, self.replicas) and Target(color, live.revision) in self.spared:
            assert self.now - self.spared[Target(color, live.revision)] >= LEAST_KEEP, "a rollback that failed takes its target down"
        if live is not None and live.available and (after.wanted < self.replicas or after.revision != live.revision):
            target = Target(color, live.revision)
            assert self.selector != target, f"{target} serves and is taken down"
            if target in self.left:
                least = LEAST_KEEP if live.revision in self.promoted and live.revision not in self.rejected else LEAST_KEEP_REJECTED
                assert self.now - self.left[target] >= least, f"{target} is taken down too early"
        kept = live.available if live is not None and live.revision == after.revision else 0
        self.stacks[color] = replace(after, available=min(kept, after.wanted), pods=max(after.wanted, live.pods if live else 0))

    def _flip(self, to: Target | None) -> None:
        if to is not None and to != self.stable:
            assert self.state is not None
            assert (self.state.step, self.state.target) == (Step.CUTOVER, to)
            assert to.revision not in self.rejected
            stack = self.stacks[to.color]
            assert stack.revision == to.revision
            assert stack.available >= self._least(self.state)
        if isinstance(self.selector, Target) and not self.is_by_hand:
            self.left[self.selector] = self.now
        if to in self.left:
            del self.left[to]
        if to in self.spared:
            del self.spared[to]  # it serves again
        self.selector, self.has_followed, self.is_by_hand = to, False, False

    def _least(self, state: ReleaseState) -> int:
        """No fewer pods than serve are led to, nor than were wanted; by hand half of them after a while."""
        led = self.stacks.get(self.selector.color) if isinstance(self.selector, Target) else None
        serving = led.available if led and isinstance(self.selector, Target) and led.revision == self.selector.revision else 0
        if state.is_rollback:
            enough = serving if self.now < state.started_at + PATIENCE_BACK else min(serving, (self.replicas + 1) // 2)
        else:
            enough = max(serving, state.replicas or 0)
        return max(1, min(self.replicas, enough))

    # ---- everybody else

    def pods(self) -> None:
        """Pods come up, where they can."""
        self.is_drained = False
        for color, stack in self.stacks.items():
            is_up = stack.revision != "dead" and self.has_room
            self.stacks[color] = replace(stack, pods=stack.wanted, available=stack.wanted if is_up else stack.available)

    def count(self) -> None:
        """Controllers see what is wanted; no pod comes up yet."""
        for color, stack in self.stacks.items():
            self.stacks[color] = replace(stack, pods=stack.wanted)

    def one_pod(self, color: str) -> None:
        """One more comes up."""
        self.count()
        stack = self.stacks.get(color)
        if stack is not None and stack.revision != "dead" and stack.available < stack.wanted:
            self.stacks[color] = replace(stack, available=stack.available + 1)

    def follow(self) -> None:
        if not self.has_followed and isinstance(self.selector, Target):
            for target in self.left:
                if target.color != self.selector.color:
                    self.left[target] = self.now
        self.has_followed = True

    def kill_pods(self) -> None:
        for color, stack in self.stacks.items():
            self.stacks[color] = replace(stack, available=0)

    def kill_pod(self, color: str) -> None:
        """One of them is gone."""
        stack = self.stacks.get(color)
        if stack is not None:
            self.stacks[color] = replace(stack, available=max(0, stack.available - 1))

    def look(self, kill_after: int | None = None) -> None:
        for number, _ in enumerate(self.writes(), start=1):
            if number == kill_after:
                return

    def calm(self) -> None:
        """Nothing more happens but what the cluster does by itself, for 20 minutes, or until nothing has changed for longer than any
        deadline. Sooner or later there is room, and somebody can look."""
        self.has_room = self.can_look = True
        quiet, before = 0, self.moving()
        for _ in range(400):
            self.let_pass(1)
            after = self.moving()
            quiet, before = quiet + 1 if after == before else 0, after
            if quiet == 60:
                return

    def moving(self) -> tuple[object, ...]:
        """All that may change by itself, but the time."""
        return self.state, self.selector, dict(self.stacks), len(self.promoted), len(self.rejected), self.back, self.has_followed

    def let_pass(self, times: int) -> None:
        """Nothing happens but what the cluster does by itself."""
        for _ in range(times):
            self.pods()
            self.look()
            self.follow()
            self.now += timedelta(seconds=3)


def _counted(stack: Stack) -> Stack:
    """As its controller has counted: after a change it has to look first."""
    if stack.pods == stack.wanted:
        return stack
    return replace(stack, available=0, is_settled=False, counted=stack.available)


def _takes_pods_away(live: Stack | None, after: Stack) -> bool:
    return live is not None and live.wanted > 0 and (after.wanted < live.wanted or after.revision != live.revision)


EVENTS = st.one_of(
    st.tuples(st.just("spec"), st.sampled_from(REVISIONS)),
    st.tuples(st.just("scale"), st.integers(1, 4)),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.just("killed"), st.integers(1, 5)),
    st.tuples(st.just("pods"), st.none()),
    st.tuples(st.just("follow"), st.none()),
    st.tuples(st.just("kill pods"), st.none()),
    st.tuples(st.just("drain"), st.none()),
    st.tuples(st.just("room"), st.booleans()),
    st.tuples(st.just("checks"), st.booleans()),
    st.tuples(st.just("selector"), st.none()),
    st.tuples(st.just("led by hand"), st.sampled_from(COLORS)),
    st.tuples(st.just("status lost"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 9, 31, 61, 121])),
)
#: Beside those: what happens to single pods, and somebody who goes back.
BY_HAND = st.one_of(
    st.tuples(st.just("back"), st.none()),
    st.tuples(st.just("count"), st.none()),
    st.tuples(st.just("one pod"), st.sampled_from(COLORS)),
    st.tuples(st.just("kill pod"), st.sampled_from(COLORS)),
    st.tuples(st.just("time goes on"), st.integers(1, 20)),
)
#: Around a cutover: pods come and go one by one, and the size changes.
SINGLE_PODS = st.one_of(
    st.tuples(st.just("back"), st.none()),
    st.tuples(st.just("count"), st.none()),
    st.tuples(st.just("one pod"), st.sampled_from(COLORS)),
    st.tuples(st.just("kill pod"), st.sampled_from(COLORS)),
    st.tuples(st.just("scale"), st.integers(1, 6)),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.just("killed"), st.integers(1, 4)),
    st.tuples(st.just("follow"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 9, 16, 31, 121])),
)


def happen(world: TwoStacks, what: str, how: object) -> None:
    match what:
        case "spec":
            world.wanted = str(how)
        case "scale":
            assert isinstance(how, int)
            world.replicas = how
        case "look":
            world.look()
        case "killed":
            assert isinstance(how, int)
            world.look(kill_after=how)
        case "pods":
            world.pods()
        case "follow":
            world.follow()
        case "kill pods":
            world.kill_pods()
        case "drain":
            world.kill_pods()
            world.is_drained = True
        case "room":
            world.has_room = how is True
        case "checks":
            world.can_look = how is True
        case "selector":
            world.selector, world.has_followed = "strange", True
        case "led by hand":
            stack = world.stacks.get(str(how))
            if stack is not None:
                world.selector, world.has_followed, world.is_by_hand = Target(str(how), stack.revision), True, True
        case "status lost":
            world.state = None
            world.left.clear()  # and with it since when a stack is led away from
            world.spared.clear()
        case "back":
            world.ask_back()
        case "count":
            world.count()
        case "one pod":
            world.one_pod(str(how))
        case "kill pod":
            world.kill_pod(str(how))
        case "time goes on":
            assert isinstance(how, int)
            world.let_pass(how)
        case "wait":
            assert isinstance(how, int)
            world.now += timedelta(seconds=how)


@given(st.lists(st.one_of(EVENTS, BY_HAND), max_size=40))
@example([("look", None), ("spec", "two"), ("killed", 1), ("led by hand", "blue")])  # to pods that the newer spec replaces
@drawn(300)
def test_whatever_happens_it_ends_where_the_spec_leads_or_where_it_was(events: list[tuple[str, object]]) -> None:
    world = TwoStacks()
    for what, how in events:
        happen(world, what, how)
    world.calm()
    assert world.state is None
    assert world.back is None
    if world.wanted in ("one", "two") and world.wanted not in world.rejected:
        assert world.stable
        assert world.stable.revision == world.wanted
    assert world.selector == world.stable
    running = {color: stack.wanted for color, stack in world.stacks.items() if stack.wanted}
    assert running == ({world.stable.color: world.replicas} if world.stable else {})


THERE_AND_BACK = st.one_of(
    st.tuples(st.just("spec"), st.sampled_from(("one", "two", "one", "two", "worse"))),
    st.tuples(st.just("killed"), st.integers(1, 5)),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 31])),
    st.sampled_from([("look", None), ("pods", None), ("follow", None), ("kill pods", None), ("drain", None), ("time goes on", 1)]),
)


@pytest.mark.parametrize("step", [Step.VERIFY_AFTER, Step.KEEP], ids=str)
@given(st.lists(st.one_of(THERE_AND_BACK, BY_HAND), max_size=30))
@drawn(250)
def test_however_often_the_spec_goes_there_and_back_it_ends_where_it_leads(step: Step, events: list[tuple[str, object]]) -> None:
    world = come_to(step)
    for what, how in [("spec", "one"), *events]:
        happen(world, what, how)
    world.calm()
    assert (world.state, world.back, world.selector) == (None, None, world.stable)
    if world.wanted in ("one", "two") and world.wanted not in world.rejected:
        assert world.stable
        assert world.stable.revision == world.wanted


def come_to(step: Step, replicas: int = 2) -> TwoStacks:
    """Revision `two` is released, and has come to this step."""
    world = TwoStacks(replicas=replicas)
    world.let_pass(40)
    world.wanted = "two"
    while world.state is None or world.state.step is not step:
        world.look(kill_after=1)  # a step at a time
        world.pods()
        world.follow()
        world.now += timedelta(seconds=1)
    return world


BLIND = st.one_of(
    st.sampled_from([("look", None), ("pods", None), ("follow", None), ("time goes on", 9)]),
    st.tuples(st.just("killed"), st.integers(1, 5)),
    st.tuples(st.just("wait"), st.sampled_from([1, 31, 121])),
)


@pytest.mark.parametrize("step", [Step.VERIFY_BEFORE, Step.SCALE_UP, Step.VERIFY_AFTER], ids=str)
@given(st.lists(BLIND, max_size=12))
@drawn(60)
def test_while_nobody_can_look_a_good_version_waits_and_takes_over_once_somebody_can(step: Step, events: list[tuple[str, object]]) -> None:
    world = come_to(step)
    world.can_look = False
    world.look()
    world.pods()
    for what, how in [*events, ("time goes on", 99)]:
        happen(world, what, how)
    assert world.state
    assert (world.rejected, world.promoted) == (set(), ["one"])
    world.calm()
    assert (world.rejected, world.promoted[-1], world.selector) == (set(), "two", world.stable)


@pytest.mark.parametrize("step", [Step.SCALE_UP, Step.KEEP], ids=str)
@given(replicas=st.integers(1, 5), events=st.lists(SINGLE_PODS, max_size=30))
@drawn(250)
def test_wherever_pods_come_and_go_traffic_is_led_to_no_fewer_than_serve_unless_somebody_goes_back(
    step: Step, replicas: int, events: list[tuple[str, object]]
) -> None:
    world = come_to(step, replicas)
    for what, how in events:
        happen(world, what, how)
    world.calm()
    assert (world.state, world.back, world.selector) == (None, None, world.stable)
