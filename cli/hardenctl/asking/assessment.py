"""What an action would be about: read from the service, so that it names the revision that its caller was shown.

Only what is so already, and what cannot be put into words, is answered here. Everything else is for the operator to judge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hardenctl.release.hold import HoldReading, hold_of, sought
from hardenctl.release.state import ReleaseReading, image_of, pin_of, release_of, serving_of, stable_of
from hardenctl.release.steps import is_before_promotion, row_of
from hardenctl.release.verdict import Live, is_paused
from hardened.api.steps import Step

_FOLLOW = "status {name} -w"


@dataclass(frozen=True)
class ToAsk:
    """To be asked for."""

    revision: str
    """The one that is meant, "" for none."""
    what: str
    """It in words, for people to see before it is sent."""
    warning: str = ""
    """What they may have meant instead, "" for nothing."""


@dataclass(frozen=True)
class Already:
    """It is so already."""

    revision: str
    """The one that is meant, "" for none."""
    message: str
    """What is so."""
    then: str = "status {name}"
    """The verb to try next, with {name}."""


@dataclass(frozen=True)
class Nothing:
    """There is nothing that it could be about."""

    message: str
    """Why."""
    instead: str = "status {name}"
    """The verb to try next, with {name}."""


Assessment = ToAsk | Already | Nothing


def promote(live: Live, revision: str) -> Assessment:
    """revision: the one that the caller means, "" for the one that waits."""
    release, pin, stable = release_of(live), pin_of(live), stable_of(live)
    if revision and revision == stable:
        return Already(revision, f"revision {_shown(live, revision)} is already promoted")
    if release is None or release.step == Step.KEEP:
        if pin and revision in ("", pin.revision):
            return Nothing(f"revision {_shown(live, pin.revision)} cannot be promoted: {_cause(pin.cause)}", "retry {name}")
        if revision or not stable:
            return Nothing("no release awaits promotion")
        return Already(stable, f"revision {_shown(live, stable)} is already promoted")
    if revision not in ("", release.revision):
        return _another(live, release, revision)
    if row_of(release.step).is_going_back:
        return Nothing(f"revision {_shown(live, release.revision)} is being rolled back", "status {name} -w")
    if release.is_approved or not is_before_promotion(release.step):
        text = f"revision {_shown(live, release.revision)} is already promoted, and in step {release.step}"
        return Already(release.revision, text, _FOLLOW)
    return ToAsk(release.revision, _released(live, release))


def abort(live: Live, revision: str) -> Assessment:
    """revision: the one that the caller means, "" for the one that is released; the backup of a restore that is given up."""
    release, pin, hold = release_of(live), pin_of(live), hold_of(live)
    if revision and revision == sought(live):
        return ToAsk("", f"the restore of backup {revision}")
    if hold and revision == hold.backup:
        if hold.has_data:
            then = "repeat it, or restore what was there, as the status says" if hold.has_failed else "wait for its end"
            text = f"{hold.called} has brought the data back, and cannot be aborted: {then}"
            return Nothing(text, "status {name}" if hold.has_failed else _FOLLOW)
        return ToAsk("", hold.called)  # whether its Job is at work, the operator knows
    if release is None:
        if pin and revision in ("", pin.revision):
            return Already(pin.revision, f"revision {_shown(live, pin.revision)} is already rejected: {_cause(pin.cause)}")
        return Nothing("no release is in progress", "rollback {name}")
    if revision not in ("", release.revision):
        return _another(live, release, revision)
    if row_of(release.step).is_going_back:
        return Already(release.revision, f"revision {_shown(live, release.revision)} is already being rolled back", _FOLLOW)
    return ToAsk(release.revision, _released(live, release))


def retry(live: Live, revision: str) -> Assessment:
    """revision: the one that the caller means, "" for the one that was rejected."""
    release, pin, serving = release_of(live), pin_of(live), serving_of(live)
    if pin:
        shown = f"revision {_shown(live, pin.revision)}"
        if revision not in ("", pin.revision):
            return Nothing(f"the spec asks for {shown}, which is rejected, not for {revision}", "history {name}")
        return ToAsk(pin.revision, f"{shown}, which failed: {_cause(pin.cause)}")
    if release and release.step != Step.KEEP and revision in ("", release.revision) and not release.is_rollback:
        return Already(release.revision, f"{_released(live, release)}, is being released", _FOLLOW)
    if revision and revision not in (serving, stable_of(live)):
        return Nothing(f"the spec does not ask for revision {revision}", "history {name}")
    return Already(serving, "nothing is rejected" + (f": revision {_shown(live, serving)} serves" if serving else ""))


def pause(live: Live, _: str) -> Assessment:
    """Of whatever release is under way."""
    release = release_of(live)
    if release and is_paused(live):
        return Already(release.revision, f"{_released(live, release)}, is already paused", "resume {name}")
    return ToAsk("", _released(live, release) if release else "whatever is released")


def resume(live: Live, _: str) -> Assessment:
    """Of the release that was paused."""
    release = release_of(live)
    if not is_paused(live):
        return (
            Already(release.revision, f"{_released(live, release)}, is not paused", _FOLLOW)
            if release
            else Already("", "nothing is paused")
        )
    return ToAsk("", _released(live, release) if release else "whatever is paused")


def rollback(live: Live, revision: str) -> Assessment:
    """revision: where to, "" for the one promoted before the one that serves."""
    release, serving, hold = release_of(live), serving_of(live), hold_of(live)
    if hold:
        # One with data may follow one that has failed; whether it is one, the operator sees.
        return ToAsk(revision, f"to revision {_shown(live, revision)}") if hold.has_failed and revision else _held(hold)
    is_beside = release is not None and row_of(release.step).before_cutover and not release.is_rollback
    is_leaving = release is not None and release.revision != revision and row_of(release.step).is_unproven
    if revision and revision == serving and not is_leaving:
        text = f"revision {_shown(live, revision)} already serves"
        return (
            Already(revision, f"{text}; {_released(live, release)}, does not", "abort {name}")
            if release and is_beside
            else Already(revision, text)
        )
    what = f"to {f'revision {_shown(live, revision)}' if revision else 'the revision promoted before'}"
    warning = (
        f"{_released(live, release)}, does not serve yet: `abort` ends its release and keeps what serves" if release and is_beside else ""
    )
    return ToAsk(revision, f"{what}, from {_shown(live, serving)}" if serving else what, warning)


def backup(live: Live, name: str) -> Assessment:
    """name: which of the service's backups."""
    known = [str(each.get("name")) for each in (live.get("spec") or {}).get("backups") or ()]
    if name not in known:
        text = f"it has {', '.join(known)}" if known else "it has none: add it to spec.backups"
        return Nothing(f"the service has no backup {name}; {text}", "backup list {name}")
    return ToAsk("", f"backup {name}")


def verify_backup(live: Live, name: str) -> Assessment:
    """name: which of the service's backups."""
    found, known = backup(live, name), (live.get("spec") or {}).get("backups") or ()
    if isinstance(found, ToAsk) and not any(each.get("name") == name and each.get("verify") for each in known):
        return Nothing(f"backup {name} does not say how it is verified: add verify to it in spec.backups", "backup list {name}")
    return found


def restore(live: Live, name: str) -> Assessment:
    """name: which of the service's backups."""
    hold = hold_of(live)
    return _held(hold) if hold and not hold.has_failed else backup(live, name)


#: By the name of the verb.
ASSESSMENTS: Mapping[str, Callable[[Live, str], Assessment]] = {
    "Promote": promote,
    "Abort": abort,
    "Retry": retry,
    "Pause": pause,
    "Resume": resume,
    "Rollback": rollback,
    "Backup": backup,
    "VerifyBackup": verify_backup,
    "Restore": restore,
}


def _held(hold: HoldReading) -> Nothing:
    if hold.has_failed:
        return Nothing(f"{hold.called} has failed, and keeps the service stopped: decide on that first", "status {name}")
    return Nothing(f"{hold.called} is under way: wait for its end", _FOLLOW)


def _another(live: Live, release: ReleaseReading, revision: str) -> Nothing:
    return Nothing(f"revision {_shown(live, release.revision)} is being released, not {revision}: check it first")


def _released(live: Live, release: ReleaseReading) -> str:
    return f"revision {_shown(live, release.revision)}, in step {release.step}"


def _shown(live: Live, revision: str) -> str:
    image = image_of(live, revision)
    return f"{revision} ({image})" if image else revision


def _cause(text: str) -> str:
    return text or "the operator does not say why"
