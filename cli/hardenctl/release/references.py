"""What a revision only refers to: it is not stored with it, and does not come back with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: The fields that refer to a Secret or ConfigMap, with the field of the name in each.
_SECRETS = {"secretKeyRef": "name", "secretRef": "name", "secret": "secretName"}
_CONFIG_MAPS = {"configMapKeyRef": "name", "configMapRef": "name", "configMap": "name"}


@dataclass(frozen=True)
class References:
    """By name, sorted."""

    secrets: tuple[str, ...] = ()
    """Secrets."""
    config_maps: tuple[str, ...] = ()
    """ConfigMaps."""
    claims: tuple[str, ...] = ()
    """Volumes whose data stays as it is."""

    def __str__(self) -> str:
        """Example: "Secret db, ConfigMap flags, data of claim cache"; "" for none."""
        words = [f"Secret {name}" for name in self.secrets] + [f"ConfigMap {name}" for name in self.config_maps]
        return ", ".join([*words, *(f"data of claim {name}" for name in self.claims)])


def references_of(fields: Mapping[str, Any]) -> References:
    """Of the fields of a spec, or of a stored revision."""
    found = set(_found(fields))
    volumes = [each for each in fields.get("volumes") or () if isinstance(each, Mapping) and isinstance(each.get("claim"), Mapping)]
    claims = sorted(str(volume.get("name", "")) for volume in volumes)
    secrets, config_maps = (tuple(sorted(name for kind, name in found if kind == wanted)) for wanted in ("Secret", "ConfigMap"))
    return References(secrets, config_maps, tuple(claims))


def _found(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for each in node:
            yield from _found(each)
    if not isinstance(node, Mapping):
        return
    for key, value in node.items():
        for kind, fields in (("Secret", _SECRETS), ("ConfigMap", _CONFIG_MAPS)):
            if key in fields and isinstance(value, Mapping) and isinstance(value.get(fields[key]), str):
                yield kind, value[fields[key]]
        yield from _found(value)
