"""What marks the Deployments of a release in place."""

from hardened.api.steps import Step
from hardened.core.model.state import ReleaseState


def in_place_token(state: ReleaseState | None) -> str:
    """What says on the Deployments which revision is to run, before it does; "" where that is not in question.

    Whoever still means to let another one run, as was decided before, is told that they have changed.
    """
    if state is None or state.strategy == "BlueGreen" or state.step not in (Step.CUTOVER, Step.SWITCH_BACK):
        return ""
    if state.strategy == "RollingUpdate" and state.step is Step.CUTOVER:
        return ""  # its template is another one anyway
    return f"{state.fencing_token} {state.step}"
