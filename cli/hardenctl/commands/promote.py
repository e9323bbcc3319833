"""`promote`: lets a release that waits for a person take over."""

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, RevisionOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.lookup import find

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "promote shop                                 # the one that awaits promotion",
    "promote shop --revision 9c2d1b0a7e55         # only that one",
    'promote shop --reason "looked at it" --no-wait',
)
MORE = "The request names the revision that is shown: if a newer one has superseded it, the request is refused. " + arguments.MORE


def run(
    session: Session,
    name: NameArgument,
    revision: RevisionOption = "",
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = action_arguments("Promote", name, revision, reason, wait, timeout)
    return perform(session, find(session, name), wanted)
