"""What the pods that check new revisions are made of: the platform team says it in the operator's settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hardened.api.quantity import amount

#: Requests and limits, by the name of the resource.
Amounts = Mapping[str, Mapping[str, str]]

#: Of a pod that asks.
RESOURCES: Amounts = {
    "requests": {"cpu": "20m", "memory": "48Mi", "ephemeral-storage": "8Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
}
#: Of a pod that sends load. A core and a half: the generator must not be what is measured.
LOAD_RESOURCES: Amounts = {
    "requests": {"cpu": "200m", "memory": "96Mi", "ephemeral-storage": "8Mi"},
    "limits": {"cpu": "1500m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
}


#: Of a pod that makes a backup: restic has the index of its repository in memory. Its ephemeral storage is what its scratch volumes need.
BACKUP_RESOURCES: Amounts = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}


@dataclass(frozen=True)
class BackupKit:
    """What the pods that make backups are made of."""

    image: str = ""
    """What they run, "" for none: then nothing is backed up."""
    pull_secrets: tuple[str, ...] = ()
    """See Kit."""
    resources: Amounts = field(default_factory=lambda: BACKUP_RESOURCES)
    """Of each of their containers."""
    may_restore: bool = False
    """Data may be replaced by an action: who may make one is checked."""


@dataclass(frozen=True)
class Kit:
    """What the pods that check new revisions are made of, and those that make backups; and what is read of those that crash."""

    image: str = ""
    """What they run, "" for none: then nobody checks."""
    pull_secrets: tuple[str, ...] = ()
    """Names of Secrets in the namespaces of the services, beside those that a service names itself."""
    resources: Amounts = field(default_factory=lambda: RESOURCES)
    """Of those that ask."""
    load_resources: Amounts = field(default_factory=lambda: LOAD_RESOURCES)
    """Of those that send load."""
    backup: BackupKit = field(default_factory=BackupKit)
    log_lines: int = 0
    """Lines of the log of a container that crashed that go into the cause of a rejection; 0 for none."""


def amounts_of(text: str, default: Amounts) -> Amounts:
    """Requests and limits as JSON, as in a container; the default for a blank text.

    Raises ValueError, with the field and the remedy, for what the API server would refuse.
    """
    if not text.strip():
        return default
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not given.keys() <= {"requests", "limits"}:
        raise ValueError('not the resources of a container: write {"requests": {…}, "limits": {…}} as JSON')
    found = {kind: _amounts(kind, given.get(kind) or {}) for kind in ("requests", "limits")}
    for name, request in found["requests"].items():
        limit = found["limits"].get(name)
        if limit is not None and amount(request) > amount(limit):
            raise ValueError(f"requests.{name}: {request} is more than limits.{name}, which is {limit}: lower it, or raise the limit")
    return found


def _amounts(kind: str, given: object) -> dict[str, str]:
    if not isinstance(given, dict):
        raise ValueError(f"{kind}: not a map: write it as {{cpu: 20m, memory: 48Mi}}")
    found = {str(name): str(value) for name, value in given.items()}
    for name, value in found.items():
        try:
            amount(value)
        except ValueError as error:
            raise ValueError(f"{kind}.{name}: {error}") from error
    return found
