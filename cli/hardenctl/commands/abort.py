"""`abort`: ends a release before it is promoted, as a failed check would; or a restore that has failed, or has not begun."""

from dataclasses import replace

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, RevisionOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.hold import hold_of, sought
from hardenctl.release.lookup import find

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "abort shop                                 # the current release",
    'abort shop --reason "wrong flag"',
    "abort shop                                 # or a restore that has failed, or has not begun",
)
MORE = (
    "The revision is rejected: the same spec is not released again until `retry`. A promoted revision needs `rollback` instead. "
    "While a restore stops pods, or its Job cannot begin or goes no further, or after it has failed, `abort` gives it up: the pods come "
    "back, on the data that is there. " + arguments.MORE
)


def run(
    session: Session,
    name: NameArgument,
    revision: RevisionOption = "",
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = action_arguments("Abort", name, revision, reason, wait, timeout)
    live = find(session, name)
    hold = hold_of(live)
    if backup := "" if revision else sought(live) or (hold.backup if hold else ""):
        wanted = replace(wanted, backup=backup)
    return perform(session, live, wanted)
