"""`abort`: ends a release before it is promoted, as a failed check would."""

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, RevisionOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.lookup import find

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "abort shop                                 # the current release",
    'abort shop --reason "wrong flag"',
)
MORE = (
    "The revision is rejected: the same spec is not released again until `retry`. A promoted revision needs `rollback` instead. "
    + arguments.MORE
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
    return perform(session, find(session, name), wanted)
