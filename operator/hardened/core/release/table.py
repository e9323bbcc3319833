"""The sequences of steps: what a release goes through, by its strategy, and what follows where it fails.

    BlueGreen                 Preflight  Queued  Backup  Migrate  Preview  VerifyBefore  Approval  ScaleUp  Cutover  VerifyAfter  Keep
    RollingUpdate, Recreate   Preflight  Queued  Backup  Migrate  Cutover  VerifyAfter

    before the cutover        a failure leaves what serves as it is: Undo, where a migration is to be undone
    from the cutover on       SwitchBack, then Undo, where a migration is to be undone after the cutover, too

A step that does not apply is passed over. What is true of a release in a step, for everybody else, is in `api/steps.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState
from hardened.core.model.transition import Advance, Begin, Failed, Stay, Transition
from hardened.core.release import beginning, guards, moves, sizes
from hardened.core.release.in_place import guards as in_place
from hardened.core.release.in_place import moves as in_place_moves
from hardened.core.release.in_place import pods as in_place_pods
from hardened.core.release.in_place import sizes as in_place_sizes
from hardened.core.release.in_place.steps import backup as in_place_backup
from hardened.core.release.in_place.steps import cutover as in_place_cutover
from hardened.core.release.in_place.steps import migrate as in_place_migrate
from hardened.core.release.in_place.steps import switch_back as in_place_switch_back
from hardened.core.release.in_place.steps import verify_after as in_place_verify_after
from hardened.core.release.in_place.steps import waiting
from hardened.core.release.steps import (
    approval,
    backup,
    cutover,
    keep,
    migrate,
    preflight,
    preview,
    queued,
    scale_up,
    switch_back,
    undo,
    verify_after,
    verify_before,
)

Guard = Callable[[ReleaseState | None, Input], Advance | None]


class StepRules(Protocol):
    """What a step's file says, see `steps`."""

    @property
    def STEP(self) -> Step: ...
    def advance(self, state: ReleaseState, seen: Input, /) -> Advance: ...
    def goes_by_pods(self, state: ReleaseState, seen: Input, /) -> bool: ...
    def desired(self, state: ReleaseState, seen: Input, /) -> DesiredState: ...


class Gate(StepRules, Protocol):
    """A step that another one is followed by."""

    def applies(self, seen: Input, /) -> bool: ...
    def enter(self, state: ReleaseState, seen: Input, /) -> ReleaseState: ...


@dataclass(frozen=True)
class Sequence:
    """How a release gets from its first step to its last."""

    forward: tuple[Gate, ...]
    """In their order."""
    aside: tuple[StepRules, ...]
    """Those that it comes to once it was promoted, or has failed. In a step that is nowhere it goes on as in the first of them."""
    guards: tuple[Guard, ...]
    """What comes before all that a step says; the first that says something is what follows."""
    begin: Callable[[None, Input], Begin | Stay | Transition]
    """What follows where no release is in progress."""
    fail: Callable[[Failed, Input], Transition]
    """What follows a failure."""
    rest: Callable[[None, Input], DesiredState]
    """What everything should be like where no release is in progress."""
    rests_by_pods: Callable[[None, Input], bool]
    """Whether nothing can be said then before the pods are listed."""

    def rules(self, step: Step) -> StepRules:
        """What the file of a step says."""
        return next((rules for rules in (*self.forward, *self.aside) if rules.STEP is step), self.aside[0])

    def first(self, seen: Input) -> Gate:
        """The first step that applies."""
        return next(rules for rules in self.forward if rules.applies(seen))

    def after(self, step: Step, seen: Input) -> Gate:
        """The next step that applies."""
        steps = [rules.STEP for rules in self.forward]
        return next(rules for rules in self.forward[steps.index(step) + 1 :] if rules.applies(seen))


BLUE_GREEN = Sequence(
    forward=(preflight, queued, backup, migrate, preview, verify_before, approval, scale_up, cutover, verify_after),
    aside=(switch_back, undo, keep),
    guards=(backup.noted, guards.migrating, guards.recalled, guards.aborted, guards.rolled_back, guards.lost_status, guards.superseded),
    begin=beginning.begin,
    fail=moves.failed,
    rest=sizes.stable_alone,
    rests_by_pods=lambda *_: False,
)
IN_PLACE = Sequence(
    forward=(waiting.PREFLIGHT, waiting.QUEUED, in_place_backup, in_place_migrate, in_place_cutover, in_place_verify_after),
    aside=(in_place_switch_back, undo),
    guards=(backup.noted, guards.migrating, in_place.promoted, in_place.aborted, in_place.rolled_back, in_place.superseded),
    begin=in_place_moves.begin,
    fail=in_place_moves.failed,
    rest=in_place_sizes.desired,
    rests_by_pods=in_place_pods.goes_by_pods,
)
