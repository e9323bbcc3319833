"""Preflight and Queued in place: nothing has begun yet, and what the release waits for is looked at anew each time."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState
from hardened.core.model.transition import Advance
from hardened.core.release.in_place import pods, sizes
from hardened.core.release.in_place.moves import begin
from hardened.core.release.steps import preflight, queued


@dataclass(frozen=True)
class Waiting:
    """A step that waits for what another one of the same name says that it waits for."""

    STEP: Step
    applies: Callable[[Input], bool]

    def enter(self, state: ReleaseState, _: Input) -> ReleaseState:
        return replace(state, step=self.STEP)

    def advance(self, state: ReleaseState, seen: Input) -> Advance:
        return begin(state, seen)

    def goes_by_pods(self, state: ReleaseState, seen: Input) -> bool:
        return pods.goes_by_pods(state, seen)

    def desired(self, state: ReleaseState, seen: Input) -> DesiredState:
        return sizes.desired(state, seen)


PREFLIGHT = Waiting(Step.PREFLIGHT, preflight.applies)
QUEUED = Waiting(Step.QUEUED, queued.applies)
