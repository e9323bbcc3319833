"""Names that only the cluster knows, within a time that nobody at a prompt notices. Never an error: then there are none."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from hardenctl.cluster.paths import services, with_query
from hardenctl.cluster.session import Session
from hardenctl.output.duration import Deadline
from hardenctl.release.lookup import find

#: Seconds for the cluster to answer.
PATIENCE = 0.15
#: The most names that are proposed.
_MOST = 500

#: By name, what is said beside it, "" for nothing.
Names = Mapping[str, str]


def within(patience: float, look: Callable[[], Names]) -> Names:
    """What is found in time; nothing where it is not, or where anything is wrong."""
    found: list[Names] = []

    def run() -> None:
        try:
            found.append(look())
        except BaseException:  # noqa: BLE001 - whoever presses Tab has not asked a question that an error answers
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(patience)
    return found[0] if found else {}


def live_names(session: Session, kind: str, service: str, patience: float = PATIENCE) -> Names:
    """kind: service, namespace, revision or backup; service: whose, where it is one of the last two."""
    try:
        bounded = session.until(Deadline.after(patience))
        # Here, not in the thread: what is written of the keys is removed at the end of the process.
        _ = bounded.cluster
    except BaseException:  # noqa: BLE001 - as above
        return {}
    look = _KINDS[kind]
    return within(patience, lambda: look(bounded, service))


def _services(session: Session, _: str) -> Names:
    items = session.cluster.get(with_query(services(session.namespace), limit=_MOST), PATIENCE).get("items") or ()
    return {str(each["metadata"]["name"]): str((each.get("status") or {}).get("phase") or "") for each in items}


def _namespaces(session: Session, _: str) -> Names:
    items = session.cluster.get(with_query("/api/v1/namespaces", limit=_MOST), PATIENCE).get("items") or ()
    return {str(each["metadata"]["name"]): "" for each in items}


def _revisions(session: Session, service: str) -> Names:
    found: list[Mapping[str, Any]] = (find(session, service).get("status") or {}).get("history") or []
    return {str(each["revision"]): str(each.get("image") or "") for each in reversed(found)}


def _backups(session: Session, service: str) -> Names:
    found = (find(session, service).get("spec") or {}).get("backups") or ()
    return {str(each["name"]): str(each.get("schedule") or "") for each in found}


_KINDS = {"service": _services, "namespace": _namespaces, "revision": _revisions, "backup": _backups}
