"""`abort`: ends a release before it is promoted, as a failed check would."""

from hardenctl import asking
from hardenctl.asking import OUTPUTS, Name, Reason, Revision, Timeout, Wait, perform, service_of, wish
from hardenctl.outcome import Exit
from hardenctl.session import Session

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "abort shop                                 # the release under way",
    'abort shop --reason "wrong flag"',
)
MORE = (
    "The revision is rejected: the same spec is not released again until `retry`. What was promoted is rolled back instead. " + asking.MORE
)


def run(
    session: Session,
    name: Name,
    revision: Revision = "",
    reason: Reason = "",
    wait: Wait = True,
    timeout: Timeout = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = wish("Abort", name, revision, reason, wait, timeout)
    return perform(session, service_of(session, name), wanted)
