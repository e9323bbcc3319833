"""`retry`: releases a revision again that was rejected or taken back."""

from hardenctl import asking
from hardenctl.asking import OUTPUTS, Name, Reason, Revision, Timeout, Wait, perform, service_of, wish
from hardenctl.outcome import Exit
from hardenctl.session import Session

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "retry shop                                 # the revision that the spec asks for",
    'retry shop --reason "the database is back"',
)
MORE = "For where the version was not to blame. A changed spec needs no retry. " + asking.MORE


def run(
    session: Session,
    name: Name,
    revision: Revision = "",
    reason: Reason = "",
    wait: Wait = True,
    timeout: Timeout = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = wish("Retry", name, revision, reason, wait, timeout)
    return perform(session, service_of(session, name), wanted)
