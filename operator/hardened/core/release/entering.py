"""The state of a release at the beginning of a step, with its deadline."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.release.pods import come


def enter(state: ReleaseState, step: Step, seen: Input) -> ReleaseState:
    """In a step that is timed the progress deadline runs; one that waits for pods counts those that are there already."""
    deadline = seen.now + seen.policy.progress_deadline if step.row.is_timed else None
    available = come(state, seen) if step.row.is_growing and seen.counts else 0
    return replace(state, step=step, deadline=deadline, available=available)
