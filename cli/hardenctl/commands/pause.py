"""`pause`: holds a release before its next step, until it is resumed."""

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.lookup import find

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "pause shop",
    'pause shop --reason "waiting for the migration"',
)
MORE = "Possible up to the cutover; from then on a release has to finish. The time left until its deadline is kept. " + arguments.MORE


def run(
    session: Session,
    name: NameArgument,
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = action_arguments("Pause", name, "", reason, wait, timeout)
    return perform(session, find(session, name), wanted)
