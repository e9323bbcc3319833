"""Consent to what cannot be taken back: what is overwritten and who is stopped is said, and a person types a name."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hardenctl.asking.ending import called
from hardenctl.cluster.paths import services
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.release.recovery_point import RecoveryPoint
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure

#: What a restore replaces, by the source of the backup. `at`: the Secret, or the volume.
_REPLACED = {
    "postgres": "the database that Secret {at} leads to",
    "redis": "all keys of the Redis that Secret {at} leads to",
    "volume": "all files of volume {at}",
    "command": "the data of the application",
}


def consent(session: Session, word: str, lines: Sequence[str], *, is_given: bool) -> None:
    """Shows what is at stake, and returns once somebody has agreed. Raises CommandEnd where nobody does.

    word: what a person types; is_given: by --yes.
    """
    console = session.console
    if is_given:
        for line in lines:
            console.progress(f"  {line}")
        return
    if not console.can_ask:
        raise usage("nobody is there to agree to it: no terminal, and no --yes", "run it on a terminal, or add --yes")
    try:
        answer = console.ask(lines, f"Type {word} to go on: ")
    except KeyboardInterrupt:
        raise CommandEnd("interrupted; nothing was requested", result=ResultWord.INTERRUPTED, code=Exit.INTERRUPTED) from None
    if answer != word:
        raise CommandEnd(f"{answer!r} is not {word}: nothing was requested", result=ResultWord.REFUSED, code=Exit.REFUSED)


def backup_named(live: Manifest, name: str) -> Mapping[str, Any]:
    """The backup of that name, as the spec has it; {} where there is none."""
    found = (live.get("spec") or {}).get("backups") or ()
    return next((each for each in found if isinstance(each, Mapping) and each.get("name") == name), {})


def source_of(backup: Mapping[str, Any]) -> tuple[str, str]:
    """The kind of a backup's source, and the Secret or the volume that it names. Example: ("postgres", "db"); "" for not known."""
    source = backup.get("source") or {}
    kind = next((each for each in _REPLACED if each in source), "")
    found = source.get(kind) or {}
    return kind, str(found.get("secretName") or found.get("name") or "")


def stakes(session: Session, live: Manifest, backup: Mapping[str, Any], point: RecoveryPoint, now: datetime) -> list[str]:
    """What a restore over what serves does, a line each."""
    kind, at = source_of(backup)
    replaced = _REPLACED.get(kind, "the data").format(at=at)
    kept = "" if kind == "command" else "; what is there now is stored in the repository first"
    unknown = "unknown: the status does not name this snapshot; if the repository has none, the pods stay stopped until you decide"
    return [
        f"replaced: {replaced}, by {point.text(now)}",
        *([] if point.is_known else [unknown]),
        f"lost: what was written since then{kept}",
        f"stopped meanwhile: {_stopped(session, live, str(backup.get('stops') or 'Self'))}",
    ]


def _stopped(session: Session, live: Manifest, stops: str) -> str:
    match stops:
        case "Self":
            return f"all pods of {called(live)}"
        case "Nothing":
            return "nobody; clients see the data change under them"
    who = _dependents(session, str(live["metadata"]["name"]))
    return f"all pods of {who or 'no service'}; {called(live)} goes on"


def _dependents(session: Session, name: str) -> str:
    """The services of the namespace that depend on this one. Example: "shop/api, shop/worker"."""
    try:
        items = session.cluster.get(services(session.namespace)).get("items") or ()
    except ApiFailure as error:
        session.console.trace(f"cannot list the services that depend on it: {error}")
        return "each service that depends on it"
    found = (each for each in items if any(on.get("service") == name for on in (each.get("spec") or {}).get("dependsOn") or ()))
    return ", ".join(sorted(called(each) for each in found))
