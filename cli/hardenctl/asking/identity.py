"""Who asks, as the API server knows them: an action says it, and the cluster's admission policy compares it."""

import getpass

from hardenctl.cluster.paths import SELF_REVIEWS
from hardenctl.cluster.session import Session
from hardened.errors import Refused, Vanished

_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def user_name(session: Session) -> str:
    """The user name of the credentials in use, of --as where that is given.

    Where the server does not say, a name is claimed instead, with a warning: that of --as, else of the account on this machine.
    Raises ApiFailure where the server cannot be asked at all.
    """
    try:
        reply = session.cluster.create(SELF_REVIEWS, _REVIEW)
    except (Vanished, Refused) as error:
        claimed = session.flags.as_user or _account()
        why = "does not serve SelfSubjectReview of authentication.k8s.io/v1" if isinstance(error, Vanished) else f"does not say: {error}"
        session.console.warn(
            f"your user name is unknown, the API server {why}; the request names {claimed}, which a policy of the cluster may refuse"
        )
        return claimed
    found = ((reply.get("status") or {}).get("userInfo") or {}).get("username")
    return str(found or session.flags.as_user or _account())


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no entry of this user id: which of them depends on the version of Python
        return "unknown"
