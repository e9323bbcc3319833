"""`pause`: holds a release before its next step, until it is resumed."""

from hardenctl import asking
from hardenctl.asking import OUTPUTS, Name, Reason, Timeout, Wait, perform, service_of, wish
from hardenctl.outcome import Exit
from hardenctl.session import Session

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "pause shop",
    'pause shop --reason "waiting for the migration"',
)
MORE = "Up to the cutover: from then on a release has to come to an end. The time that was left is kept. " + asking.MORE


def run(
    session: Session,
    name: Name,
    reason: Reason = "",
    wait: Wait = True,
    timeout: Timeout = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = wish("Pause", name, "", reason, wait, timeout)
    return perform(session, service_of(session, name), wanted)
