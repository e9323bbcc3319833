"""What a pod may do: of its security contexts, what the profiles know."""

from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.converting.notes import Notes, mapping

_OFFERED = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
))  # fmt: skip
_IDS = ("runAsUser", "runAsGroup", "fsGroup")
_REFUSED = ("privileged", "allowPrivilegeEscalation", "procMount", "sysctls", "supplementalGroups", "appArmorProfile", "seLinuxOptions")


def security(pod: Mapping[str, Any], app: Mapping[str, Any], writable: Sequence[str], notes: Notes, at: str) -> dict[str, Any]:
    """spec.security. writable: the folders of the application that an empty one is mounted at."""
    around, own = mapping(pod.get("securityContext")), mapping(app.get("securityContext"))
    where = f"{at}.containers[{app.get('name')}].securityContext"
    merged = {**around, **own}
    found: dict[str, Any] = {}
    for field in _IDS:
        if merged.get(field) == 0:
            notes.left_out(f"{where}.{field}", "root is refused: the image's own user runs it, or name another one in spec.security")
        elif merged.get(field) is not None:
            found[field] = merged[field]
    for field in _REFUSED:
        if merged.get(field):
            notes.left_out(f"{where}.{field}", "no profile of a HardenedService allows it")
    _add_capabilities(found, mapping(own.get("capabilities")), notes, where)
    if "runAsUser" not in found:
        notes.guessed("spec.security.runAsUser", "the image's own user, which must have a number other than 0; else name one")
    if merged.get("readOnlyRootFilesystem") is not True:
        text = "only /tmp can be written to: add each folder that the application writes into, or mount a volume there"
        notes.guessed("spec.security.writablePaths", text)
    more = [path for path in writable if path != "/tmp"]
    if more:
        found["writablePaths"] = ["/tmp", *more]
    return found


def _add_capabilities(found: dict[str, Any], given: Mapping[str, Any], notes: Notes, where: str) -> None:
    added = [str(each).removeprefix("CAP_") for each in given.get("add") or ()]
    offered = [each for each in added if each in _OFFERED]
    for each in added:
        if each not in _OFFERED:
            notes.left_out(f"{where}.capabilities.add", f"{each}: no profile of a HardenedService allows it")
    if offered:
        found["addCapabilities"] = offered
    if any(each != "NET_BIND_SERVICE" for each in offered):
        found["profile"] = "baseline"
        notes.changed(f"{where}.capabilities.add", "profile: baseline, since restricted allows NET_BIND_SERVICE alone")
