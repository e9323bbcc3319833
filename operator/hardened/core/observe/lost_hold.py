"""A hold that status does not tell of any more: somebody wiped that, or brought an old one back. The Job that restores tells of it, too."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hardened.api import names
from hardened.core.model.hold import Hold, hold_of
from hardened.core.model.manifest import Manifest
from hardened.core.model.run import Active, Restoration, Run


def held_by(deployment: Manifest) -> str:
    """The uid of the action whose hold a Deployment was written for; "" for none."""
    return str((deployment["metadata"].get("annotations") or {}).get(names.HOLD_ANNOTATION, ""))


def lost_hold(before: Mapping[str, Any], ours: Iterable[Manifest], runs: Sequence[Run], deployments: Iterable[Manifest]) -> Hold | None:
    """The hold of a Job that restores, or has failed to while the pods were stopped for it; None for none.

    Of a restore that status remembers, or that somebody gave up, it tells itself whether the hold is over.
    """
    restores = [run for run in runs if run.is_by_hand and run.work == names.RESTORE]
    if not restores:
        return None
    told = {live["metadata"]["name"]: _told_by(live) for live in ours if live["kind"] == "Job"}
    actions = [each for each in before.get("actions") or () if isinstance(each, Mapping)]
    remembered = {str(each.get(name)) for each in actions for name in ("uid", "key")}
    stopped = {held_by(live) for live in deployments}
    for run in reversed(restores):
        hold, outcome = told.get(run.job), run.outcome
        if hold is None or hold.uid in remembered:
            continue
        # What ran before must not run on the data of a rollback.
        is_left = isinstance(outcome, Restoration) and (outcome.has_failed or hold.revision != "")
        if isinstance(outcome, Active) or (is_left and hold.uid in stopped):
            return hold
    return None


def _told_by(job: Manifest) -> Hold | None:
    try:
        found = json.loads((job["metadata"].get("annotations") or {}).get(names.HOLD_ANNOTATION, ""))
    except (ValueError, TypeError, RecursionError):
        return None
    return hold_of({"hold": found})
