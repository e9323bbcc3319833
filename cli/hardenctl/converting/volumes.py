"""The volumes of a pod: files that belong to the version, scratch space, Secrets, and claims."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hardenctl.converting.notes import Notes, items, mapping, without_empty
from hardenctl.converting.objects import Objects
from hardenctl.converting.shape import known

_LARGEST_FILE = 65536
_MOST_FILES = 32
#: The size of a claim of which nobody says it.
SIZE = "1Gi"
_RESERVED = ("writable-", "files-")


@dataclass
class Mounted:
    """What is mounted into the application."""

    files: list[dict[str, Any]] = field(default_factory=list)
    """ConfigMaps of the same source, with what is in them."""
    volumes: list[dict[str, Any]] = field(default_factory=list)
    """All others."""
    writable: list[str] = field(default_factory=list)
    """Folders that an empty one is mounted at."""


def volumes(
    pod: Mapping[str, Any], app: Mapping[str, Any], helpers: Sequence[Mapping[str, Any]], objects: Objects, notes: Notes, at: str
) -> Mounted:
    """Of the application and its helpers. at: the pod, in the source."""
    found, named = Mounted(), {each.get("name"): each for each in items(pod.get("volumes"))}
    shared = {mount.get("name") for each in helpers for mount in items(each.get("volumeMounts"))}
    own = list(items(app.get("volumeMounts")))
    for mount in own:
        volume = named.get(mount.get("name"))
        if volume is None:
            notes.left_out(f"{at}.volumes[{mount.get('name')}]", "there is no such volume in the pod")
        else:
            _mount(found, volume, mount, volume.get("name") in shared, objects, notes, at)
    seen = {mount.get("name") for mount in own}
    for mount in (each for helper in helpers for each in items(helper.get("volumeMounts")) if each.get("name") in named):
        if mount.get("name") not in seen:
            seen.add(mount.get("name"))
            notes.changed(f"{at}.volumes[{mount.get('name')}]", "it is mounted into the application, too: volumes belong to that")
            _mount(found, named[mount.get("name")], mount, True, objects, notes, at)
    return found


def _mount(
    found: Mounted, volume: Mapping[str, Any], mount: Mapping[str, Any], is_shared: bool, objects: Objects, notes: Notes, at: str
) -> None:
    name, path = str(volume.get("name")), _plain_path(str(mount.get("mountPath") or ""))
    where = f"{at}.volumes[{name}]"
    taken = {each["mountPath"] for each in (*found.files, *found.volumes)} | set(found.writable)
    if path in taken:
        notes.left_out(where, f"{path} is mounted twice")
        return
    if mount.get("subPathExpr"):
        notes.left_out(where, "a path that is made of variables has no place here")
        return
    if not is_shared and _becomes_files(found, mapping(volume.get("configMap")), mount, path, objects, notes, where):
        return
    if "emptyDir" in volume and not is_shared and not mount.get("subPath") and not mapping(volume["emptyDir"]):
        found.writable.append(path)
        notes.changed(where, f"{path} is one of security.writablePaths")
        return
    source = _source(volume, objects, notes, where)
    if source is None:
        return
    given = name if not name.startswith(_RESERVED) else f"v-{name}"
    if any(each["name"] == given for each in found.volumes):
        if not {"secret", "configMap"} & set(source):
            notes.left_out(where, f"at {path}: a volume is mounted once; mount its root, and use folders of it")
            return
        given = f"{given}-{len(found.volumes)}"
    fields = {"readOnly": mount.get("readOnly") or None, "subPath": mount.get("subPath")}
    found.volumes.append({"name": given, "mountPath": path, **without_empty(fields), **source})


def _plain_path(path: str) -> str:
    return re.sub(r"/+", "/", path).rstrip("/") or "/"


def _becomes_files(
    found: Mounted, source: Mapping[str, Any], mount: Mapping[str, Any], path: str, objects: Objects, notes: Notes, where: str
) -> bool:
    """A ConfigMap of the same file becomes a part of the version, so that it rolls back with it."""
    config = objects.named("ConfigMap", source.get("name")) if source else None
    data = mapping(config.get("data")) if config else {}
    if not data or (config or {}).get("binaryData") or mount.get("subPath") or source.get("items"):
        return False
    if len(data) > _MOST_FILES or any(not isinstance(text, str) or len(text) > _LARGEST_FILE for text in data.values()):
        return False
    found.files.append({"mountPath": path, "data": dict(data)})
    notes.changed(where, f"ConfigMap {source['name']} is in `files`: it belongs to the version, and is rolled back with it")
    return True


def _source(volume: Mapping[str, Any], objects: Objects, notes: Notes, where: str) -> dict[str, Any] | None:
    kind = next((key for key in volume if key != "name"), "")
    given = mapping(volume.get(kind))
    match kind:
        case "emptyDir" | "secret":
            return {kind: known(notes, f"{where}.{kind}", f"volumes.{kind}", _with_plain_items(given))}
        case "configMap":
            notes.left_out(f"{where}.configMap", f"ConfigMap {given.get('name')} stays an object of its own: apply it before")
            return {kind: known(notes, f"{where}.{kind}", f"volumes.{kind}", _with_plain_items(given))}
        case "persistentVolumeClaim":
            return {"claim": claim(str(given.get("claimName") or ""), objects, notes, where)}
        case "projected" if len(items(given.get("sources"))) == 1:
            [only] = items(given.get("sources"))
            inner = next(iter(only), "")
            if inner in ("secret", "configMap"):
                named = "secretName" if inner == "secret" else "name"
                rest = {key: value for key, value in mapping(only[inner]).items() if key != "name"}
                return _source({"name": "", inner: {named: mapping(only[inner]).get("name"), **rest}}, objects, notes, where)
    why = "pods share nothing of the node" if kind == "hostPath" else "a HardenedService has no such volume"
    notes.left_out(f"{where}.{kind}", why)
    return None


def _with_plain_items(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keys without their modes."""
    if not given.get("items"):
        return dict(given)
    return {**given, "items": [{key: each.get(key) for key in ("key", "path")} for each in items(given["items"])]}


def claim(name: str, objects: Objects, notes: Notes, where: str) -> dict[str, Any]:
    """A claim of the service's own, of the size of this one."""
    spec = mapping((objects.named("PersistentVolumeClaim", name) or {}).get("spec"))
    size = mapping(mapping(spec.get("resources")).get("requests")).get("storage")
    if not size:
        notes.guessed("spec.volumes[].claim.size", f"{SIZE}: the claim {name} is not in the file")
    notes.left_out(where, f"the data of claim {name}: the service gets a claim of its own, so copy it")
    modes = spec.get("accessModes")
    fields = {
        "storageClassName": spec.get("storageClassName"),
        "accessModes": modes if isinstance(modes, list) and modes != ["ReadWriteOnce"] else None,
    }
    return {"size": size or SIZE, **without_empty(fields)}
