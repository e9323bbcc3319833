"""`retry`: releases a revision again that was rejected or taken back."""

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, Name, Reason, Revision, Timeout, Wait, wish
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.lookup import find

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "retry shop                                 # the revision that the spec asks for",
    'retry shop --reason "the database is back"',
)
MORE = "For where the version was not to blame. A changed spec needs no retry. " + arguments.MORE


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
    return perform(session, find(session, name), wanted)
