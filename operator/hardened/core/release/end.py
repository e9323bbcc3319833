"""How a release has ended, told from what its record said and from the status that came after."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from hardened.api.steps import Step
from hardened.core.model.state import ReleaseState
from hardened.core.model.written import rejection_of, stable_of, state_of


class End(StrEnum):
    """How a release has ended."""

    PROMOTED = "promoted"
    REJECTED = "rejected"  # before the cutover
    ROLLED_BACK = "rolled_back"  # after it, by its checks or by hand; also a release that goes back to an earlier revision
    SUPERSEDED = "superseded"  # by another spec, or with the service itself
    FAILED = "failed"  # a rollback by hand that did not get there


def end_of(state: ReleaseState, status: Mapping[str, Any]) -> End | None:
    """How the release of this record has ended by a later status; None while it goes on, and once it was promoted: then it is over."""
    following, stable, pin = state_of(status), stable_of(status), rejection_of(status.get("pin"))
    is_same = following is not None and following.started_at == state.started_at
    if state.step is Step.KEEP or (is_same and following is not None and following.step is not Step.KEEP):
        return None
    if stable and stable.target == state.target:
        return End.ROLLED_BACK if state.is_rollback else End.PROMOTED
    if state.is_rejected:
        return End.ROLLED_BACK
    if state.is_rollback:
        return End.FAILED
    return End.REJECTED if pin and pin.key == state.key else End.SUPERSEDED
