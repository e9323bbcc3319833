"""`retry`: releases a revision again that was rejected or taken back."""

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, RevisionOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.lookup import find

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "retry shop                                 # the revision that the spec asks for",
    'retry shop --reason "the database is back"',
)
MORE = "For a failure that the version did not cause. A changed spec needs no retry. " + arguments.MORE


def run(
    session: Session,
    name: NameArgument,
    revision: RevisionOption = "",
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = action_arguments("Retry", name, revision, reason, wait, timeout)
    return perform(session, find(session, name), wanted)
