"""The objects that every cluster starts with: DNS, metrics and a default StorageClass."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from ..command import run
from .layout import Layout

_FOLDER = Path(__file__).parent / "addons"


def render(layout: Layout) -> list[dict[str, Any]]:
    """All objects of the addons, those that hold a path of this cluster completed."""
    objects = [found for path in sorted(_FOLDER.glob("*.yaml")) for found in yaml.safe_load_all(path.read_text()) if found]
    for found in objects:
        if found["kind"] == "ConfigMap" and found["metadata"]["name"] == "local-path-config":
            everywhere = {"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(layout.bulk / "volumes")]}
            found["data"]["config.json"] = json.dumps({"nodePathMap": [everywhere]})
    return objects


def is_applied(layout: Layout) -> bool:
    """Whether the cluster was given the addons as they are now."""
    try:
        return _mark(layout).read_text() == _digest(layout)
    except FileNotFoundError:
        return False


def apply(layout: Layout, kubectl: Path) -> None:
    """Gives the cluster the addons, by server-side apply: made, updated or put right in one call."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": render(layout)})
    run([kubectl, "--kubeconfig", layout.kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-"], stdin=text, timeout=60)
    _mark(layout).write_text(_digest(layout))


def _mark(layout: Layout) -> Path:
    return layout.folder / "addons.applied"


def _digest(layout: Layout) -> str:
    return hashlib.sha256(json.dumps(render(layout)).encode()).hexdigest()
