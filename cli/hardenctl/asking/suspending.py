"""What `suspend` and `unsuspend` write: two fields of the spec, as a field manager of their own, so that no `deploy` takes them away."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hardenctl.asking.ending import called
from hardenctl.cluster.failures import explained
from hardenctl.cluster.paths import SUSPENDER, service
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.console import Mark
from hardenctl.output.formats import printable
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.output.program import PROG
from hardenctl.release import report
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure


def written(session: Session, live: Manifest, spec: Mapping[str, Any], *, force: bool, dry_run: bool = False) -> Manifest:
    """The service after it. Raises CommandEnd where somebody else manages these fields, unless force is given."""
    meta = live["metadata"]
    # With its uid: one that is gone meanwhile is not made again out of two fields.
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
        "spec": dict(spec),
    }
    try:
        return session.cluster.apply(service(meta["namespace"], meta["name"]), body, force=force, dry_run=dry_run, manager=SUSPENDER)
    except ApiFailure as error:
        raise explained(error, "patch", meta["namespace"], session.cluster_flags) from error


def is_suspended(live: Manifest, now: datetime) -> bool:
    """Whether its spec says so."""
    until = until_of(live)
    return is_endless(live) or (until is not None and until > now)


def is_endless(live: Manifest) -> bool:
    """Whether it is suspended until somebody ends it."""
    return (live.get("spec") or {}).get("suspend") is True


def until_of(live: Manifest) -> datetime | None:
    """The moment that its spec names."""
    return moments.moment(live.get("spec") or {}, "suspendUntil")


def tell(session: Session, live: Manifest, message: str, *, is_changed: bool) -> Exit:
    """live: as it is now."""
    console, meta, now = session.console, live["metadata"], moments.now()
    is_off = is_suspended(live, now)
    verb = "unsuspend" if is_off else "status"
    step = f"{PROG} {verb} {meta['name']} -n {meta['namespace']}{session.cluster_flags}"
    result = (ResultWord.SUSPENDED if is_off else ResultWord.OK) if is_changed else ResultWord.UNCHANGED
    until = until_of(live) if is_off and not is_endless(live) else None
    match console.output:
        case "json" | "yaml":
            shown = f"{until:%Y-%m-%dT%H:%M:%SZ}" if until else None
            found = {"result": str(result), "namespace": meta["namespace"], "name": meta["name"], "suspended": is_off, "until": shown}
            console.data({**found, "message": message, "next": step})
        case "name":
            console.print(report.full_name(live))
        case _:
            console.print(f"{console.mark(Mark.WARNING if is_off else Mark.GOOD)} {called(live)}: {printable(message)}")
            console.advise(step)
    return Exit.OK
