"""A hold that status does not tell of any more: somebody wiped that, brought an old one back, or made the whole service anew.

The Job that restores tells of it, too, and so do the claims, which outlive the service.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hardened.api import names
from hardened.core.model.hold import Hold, HoldPhase, hold_of, hold_written
from hardened.core.model.manifest import Manifest, canonical
from hardened.core.model.run import Active, Restoration, Run


def held_by(child: Manifest) -> str:
    """What a child was told of a hold: a Deployment the uid of the action, a Job and a claim the whole of it; "" for none."""
    return str((child["metadata"].get("annotations") or {}).get(names.HOLD_ANNOTATION, ""))


def lost_hold(before: Mapping[str, Any], ours: Iterable[Manifest], runs: Sequence[Run], stopped: Collection[str]) -> Hold | None:
    """The hold of a Job that restores, or has failed to while pods were stopped for it; else that of a claim; None for none.

    stopped: the uids of the actions in whose holds pods are: those of the service, and of services that depend on it. Of a restore that
    status remembers, or that somebody gave up, it tells itself whether the hold is over.
    """
    witnesses = [live for live in ours if live["kind"] in ("Job", "PersistentVolumeClaim") and held_by(live)]
    if not witnesses:
        return None
    actions = [each for each in before.get("actions") or () if isinstance(each, Mapping)]
    remembered = {str(each.get(name)) for each in actions for name in ("uid", "key")}
    told = {(live["kind"], live["metadata"]["name"]): _told_by(live) for live in witnesses}
    left = {witness: hold for witness, hold in told.items() if hold and hold.uid not in remembered}
    by_jobs = {name: hold for (kind, name), hold in left.items() if kind == "Job"}
    # A Job knows better than a claim what became of it.
    known = {hold.uid for hold in by_jobs.values()}
    by_claim = next((hold for hold in left.values() if hold.uid not in known), None)
    return _told_by_job(by_jobs, runs, stopped) or by_claim


def mark(hold: Hold) -> str:
    """What a claim tells of a hold, the same from its begin to its end: where only that is left, nobody knows what came of it."""
    return canonical(hold_written(replace(hold, phase=HoldPhase.RESTORING, message="", may_have_changed=True)))


def _told_by_job(told: Mapping[str, Hold], runs: Sequence[Run], stopped: Collection[str]) -> Hold | None:
    """None also for a Job that was not let go. told: what each Job tells, by its name; stopped: see lost_hold."""
    restores = [run for run in runs if run.is_by_hand and run.work == names.RESTORE and not run.is_closed]
    for run in reversed(restores):
        hold, outcome = told.get(run.job), run.outcome
        if hold is None:
            continue
        # What ran before must not run on the data of a rollback.
        is_left = isinstance(outcome, Restoration) and (outcome.has_failed or hold.revision != "")
        if isinstance(outcome, Active) or (is_left and hold.uid in stopped):
            return hold
    return None


def _told_by(child: Manifest) -> Hold | None:
    try:
        found = json.loads(held_by(child))
    except (ValueError, TypeError, RecursionError):
        return None
    return hold_of({"hold": found})
