"""`promote`: lets a release that waits for a person take over."""

from hardenctl import asking
from hardenctl.asking import OUTPUTS, Name, Reason, Revision, Timeout, Wait, perform, service_of, wish
from hardenctl.outcome import Exit
from hardenctl.session import Session

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "promote shop                                 # the revision that waits",
    "promote shop --revision 9c2d1b0a7e55         # that one, and no other",
    'promote shop --reason "looked at it" --no-wait',
)
MORE = (
    "The revision that waits is shown, and named in the request: where another one has come meanwhile, the request is refused. "
    + asking.MORE
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
    wanted = wish("Promote", name, revision, reason, wait, timeout)
    return perform(session, service_of(session, name), wanted)
