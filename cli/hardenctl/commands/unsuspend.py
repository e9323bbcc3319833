"""`unsuspend`: the operator goes on with a service."""

from typing import Any

from hardenctl.asking.arguments import NameArgument
from hardenctl.asking.suspending import is_endless, is_suspended, tell, written
from hardenctl.cluster.session import Session
from hardenctl.commands.suspend import ForceOption
from hardenctl.output import moments
from hardenctl.output.outcome import Exit
from hardenctl.release.lookup import find

OUTPUTS = ("json", "yaml", "name")
EXAMPLES = (
    "unsuspend shop                                # also before the moment that --until has named",
    "unsuspend shop --force-conflicts              # where Git, or kubectl, has set spec.suspend",
)
MORE = (
    "A release goes on with the time that it had left when it was suspended, and no missed backup runs at once. Exits 0, also when the "
    "service is not suspended; 1 when it does not exist, 4 when somebody else manages the field."
)


def run(session: Session, name: NameArgument, force_conflicts: ForceOption = False) -> Exit:
    """Writes it, unless it is so already."""
    live, now = find(session, name), moments.now()
    if not is_suspended(live, now):
        return tell(session, live, "is not suspended", is_changed=False)
    # What is ours goes by being left out; what is not has to be said.
    spec: dict[str, Any] = {"suspend": False} if is_endless(live) else {}
    if is_suspended(written(session, live, spec, force=force_conflicts, dry_run=True), now):
        spec["suspendUntil"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    after = written(session, live, spec, force=force_conflicts)
    return tell(session, after, "is not suspended any more", is_changed=True)
