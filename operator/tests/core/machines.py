"""The release state machine, one move at a time: under a policy, and at a moment."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hardened.api.release import Migrate, Release
from hardened.api.verify import Check, Verify
from hardened.core.model.input import Input
from hardened.core.model.release_policy import POD_START, ReleasePolicy
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState
from hardened.core.model.transition import Transition
from hardened.core.release import machine


def policy(
    *, has_checks_before: bool = False, is_manual: bool = False, migrates_within: timedelta | None = None, **more: Any
) -> ReleasePolicy:
    """more: fields of spec.release. migrates_within: with the time that its pod has to start."""
    checks = [Check.model_validate({"name": "smoke", "http": {"path": "/health"}})] if has_checks_before else None
    migrate = Migrate(command=["migrate"]).model_copy(update={"deadline": migrates_within - POD_START}) if migrates_within else None
    release = Release(promotion="Manual" if is_manual else "Automatic", migrate=migrate).model_copy(update=more)
    return ReleasePolicy(release, Verify(before_cutover=checks) if checks else Verify())


def step(state: ReleaseState | None, seen: Input, by: ReleasePolicy, now: datetime) -> Transition:
    return machine.step(state, replace(seen, policy=by, now=now))


def desired(state: ReleaseState | None, seen: Input, by: ReleasePolicy) -> DesiredState:
    return machine.desired(state, replace(seen, policy=by))
