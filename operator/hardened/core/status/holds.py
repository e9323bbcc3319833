"""What is told of a hold that somebody has to decide on, with the commands that go on."""

from hardened.core.model.finding import Diagnosis
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.reasons import Reason


def failed_hold(hold: Hold, namespace: str, name: str, before: str, *, has_backup: bool = True) -> Diagnosis:
    """hold: one that has failed; namespace, name: of the service; before: the snapshot of what was there, "" for none; has_backup: the spec
    still has the backup."""

    def restore(snapshot: str) -> str:
        return f"hardenctl restore {name} --backup {hold.backup} --snapshot {snapshot} -n {namespace}"

    roll_back = f"hardenctl rollback {name} --with-data --to-revision {hold.revision} -n {namespace}"
    again = f"repeat: {roll_back if hold.revision else restore(hold.snapshot)}"
    if not has_backup:
        again = f"spec.backups has no {hold.backup} any more: put it back to repeat the restore"
    if hold.phase is HoldPhase.NOT_STARTED:
        back = f"; to go back to what ran, on its data: {restore(before)}" if before else ""
        text = f"the data is back, and {hold.message}; its pods stay stopped; {again}{back}"
        return Diagnosis(Reason.ROLLBACK_FAILED, text, is_final=True)
    stopped = "; its pods stay stopped" if hold.stops_self else ""
    what = f"the restore of snapshot {hold.snapshot} of backup {hold.backup} has failed: {hold.message}{stopped}"
    then = ", and start what ran before" if hold.revision else ""
    text = f"{what}; {again}; give up{then}: hardenctl abort {name} -n {namespace}"
    return Diagnosis(Reason.RESTORE_FAILED, text, is_final=True)
