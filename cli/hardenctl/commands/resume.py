"""`resume`: lets a paused release go on."""

from hardenctl import asking
from hardenctl.asking import OUTPUTS, Name, Reason, Timeout, Wait, perform, service_of, wish
from hardenctl.outcome import Exit
from hardenctl.session import Session

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "resume shop",
    "resume shop --no-wait -o json",
)
MORE = "With the time that was left when it was paused. " + asking.MORE


def run(
    session: Session,
    name: Name,
    reason: Reason = "",
    wait: Wait = True,
    timeout: Timeout = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = wish("Resume", name, "", reason, wait, timeout)
    return perform(session, service_of(session, name), wanted)
