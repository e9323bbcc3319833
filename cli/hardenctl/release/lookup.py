"""Finds the service that somebody meant."""

from difflib import get_close_matches
from urllib.parse import quote

from hardenctl.cluster.paths import ALL_SERVICES, service, services, with_query
from hardenctl.cluster.replies import is_kind_missing
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord
from hardenctl.output.program import PROG
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure, Vanished

#: How many services are looked through for a similar name.
_MOST = 500


def find(session: Session, name: str) -> Manifest:
    """The service. Raises CommandEnd with what could have been meant where there is none of this name."""
    try:
        return session.cluster.get(service(session.namespace, name))
    except Vanished as error:
        if is_kind_missing(error):
            raise
        raise _not_found(session, name) from error


def _not_found(session: Session, name: str) -> CommandEnd:
    here = session.namespace
    known = _known(session)
    elsewhere = [namespace for namespace, known_name in known if known_name == name]
    close = get_close_matches(name, [n for namespace, n in known if namespace == here], 3, 0.5)
    hint, step = "", ""
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    elif elsewhere:
        hint = f"there is one in namespace {', '.join(elsewhere[:5])}"
        step = f"{PROG} status {name} -n {elsewhere[0]}{session.cluster_flags}"
    elif not is_there(session, here):
        step = f"kubectl create namespace {here}{session.cluster_flags}"
        return CommandEnd(f"there is no namespace {here}", result=ResultWord.NOT_FOUND, code=Exit.FAILED, next_step=step)
    elif not any(namespace == here for namespace, _ in known):
        step = f"{PROG} deploy {name} -n {here} --image IMAGE{session.cluster_flags}"
    message = f"there is no hardened service {name} in namespace {here}"
    return CommandEnd(message, result=ResultWord.NOT_FOUND, code=Exit.FAILED, hint=hint, next_step=step)


def is_there(session: Session, namespace: str) -> bool:
    """False for a namespace that the server does not have. Who may not ask is not told so."""
    try:
        session.cluster.get(f"/api/v1/namespaces/{quote(namespace, safe='')}")
    except Vanished as error:
        return not error.message.startswith("namespaces ")
    except ApiFailure:
        return True
    return True


def _known(session: Session) -> list[tuple[str, str]]:
    for path in (ALL_SERVICES, services(session.namespace)):
        try:
            items = session.cluster.get(with_query(path, limit=_MOST)).get("items") or ()
        except ApiFailure:
            continue  # no right to look: the caller has its answer without a suggestion
        return [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]
    return []
