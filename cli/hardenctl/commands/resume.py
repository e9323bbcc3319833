"""`resume`: lets a paused release go on."""

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.lookup import find

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "resume shop",
    "resume shop --no-wait -o json",
)
MORE = "It continues with the time that was left when it was paused. " + arguments.MORE


def run(
    session: Session,
    name: NameArgument,
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = action_arguments("Resume", name, "", reason, wait, timeout)
    return perform(session, find(session, name), wanted)
