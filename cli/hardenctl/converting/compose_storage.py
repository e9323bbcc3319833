"""The volumes, configs, secrets and scratch folders of a compose service."""

from collections.abc import Mapping
from typing import Any

from hardenctl.converting.compose_parts import strings
from hardenctl.converting.notes import Notes, items, mapping
from hardenctl.converting.volumes import SIZE, Mounted

_HOST = ("/", ".", "~", "$")


def volumes(given: Mapping[str, Any], document: Mapping[str, Any], notes: Notes, where: str) -> Mounted:
    """What is mounted. where: the service, in the source."""
    found = Mounted()
    for each in given.get("volumes") or ():
        kind, source, target, is_read_only = _mount(each)
        path = target.rstrip("/")
        if not path or path in {mounted["mountPath"] for mounted in found.volumes}:
            continue
        if kind == "tmpfs" or (kind == "volume" and not source):
            found.writable.append(path)
            notes.changed(f"{where}.volumes[{path}]", "a folder of security.writablePaths: it is gone with the pod")
        elif kind == "bind":
            notes.left_out(
                f"{where}.volumes[{path}]", "a folder of the machine: small files go into `files`, all else into the image or a volume"
            )
        else:
            _claim(found, source, path, is_read_only, document, notes, where)
    for path in strings(given.get("tmpfs")):
        found.writable.append(path.partition(":")[0].rstrip("/"))
    _configs(found, given, document, notes, where)
    _secrets(found, given, notes, where)
    return found


def _mount(each: Any) -> tuple[str, str, str, bool]:
    """Kind, source, target, and whether it is only read."""
    if isinstance(each, Mapping):
        kind = str(each.get("type") or "volume")
        return kind, str(each.get("source") or ""), str(each.get("target") or ""), bool(each.get("read_only"))
    parts = str(each).split(":")
    if len(parts) == 1:
        return "volume", "", parts[0], False
    is_read_only = "ro" in parts[2].split(",") if len(parts) > 2 else False
    return "bind" if parts[0].startswith(_HOST) else "volume", parts[0], parts[1], is_read_only


def _claim(found: Mounted, source: str, path: str, is_read_only: bool, document: Mapping[str, Any], notes: Notes, where: str) -> None:
    name = source.lower().replace("_", "-").replace(".", "-").strip("-")
    sharing = [
        each
        for each, service in document["services"].items()
        if any(_mount(one)[1] == source for one in mapping(service).get("volumes") or ())
    ]
    if len(sharing) > 1:
        notes.changed(f"{where}.volumes[{source}]", f"{' and '.join(sharing)} no longer share it: each has a claim of its own")
    if mapping(mapping(document.get("volumes")).get(source)).get("driver_opts"):
        notes.left_out(f"volumes.{source}.driver_opts", "claim.storageClassName chooses what kind of volume it is")
    notes.guessed(f"spec.volumes[{name}].claim.size", f"{SIZE}: compose has no sizes. What is in the volume is not copied")
    found.volumes.append({"name": name, "mountPath": path, **({"readOnly": True} if is_read_only else {}), "claim": {"size": SIZE}})


def _configs(found: Mounted, given: Mapping[str, Any], document: Mapping[str, Any], notes: Notes, where: str) -> None:
    for each in given.get("configs") or ():
        name = str(mapping(each).get("source") or each)
        path = str(mapping(each).get("target") or f"/{name}")
        content = mapping(mapping(document.get("configs")).get(name)).get("content")
        folder, _, file = path.rpartition("/")
        if not isinstance(content, str) or not folder:
            notes.left_out(f"{where}.configs[{name}]", "its file is not read: put it into `files`, in a folder of its own")
            continue
        known = next((one for one in found.files if one["mountPath"] == folder), None)
        if known is None:
            known = {"mountPath": folder, "data": {}}
            found.files.append(known)
        known["data"][file] = content
        notes.changed(f"{where}.configs[{name}]", "it is in `files`: it belongs to the version, and is rolled back with it")


def _secrets(found: Mounted, given: Mapping[str, Any], notes: Notes, where: str) -> None:
    """All of them are files of one folder, as compose has it; each is a Secret of its name, with a key of its name."""
    for each in [*items(given.get("secrets")), *({"source": name} for name in strings(given.get("secrets")))]:
        source = str(each.get("source"))
        target = str(each.get("target") or source).rpartition("/")[2]
        name = source.lower().replace("_", "-").replace(".", "-")
        notes.changed(f"{where}.secrets[{source}]", f"it is read from Secret {name}, which you have to make: key {target}")
        found.volumes.append({
            "name": name, "mountPath": f"/run/secrets/{target}", "subPath": target, "readOnly": True, "secret": {"secretName": name},
        })  # fmt: skip
