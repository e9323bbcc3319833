"""Writes what the components read: certificates, access and configuration, the same content each time it is called."""

import base64
import json
from pathlib import Path
from typing import Any

import tomli_w

from . import configs, pki
from .layout import Layout


def ensure(layout: Layout) -> None:
    """Every file below the cluster's folders that a component of it is started with, and the administrator's kubeconfig."""
    for folder in (layout.run_dir, layout.folder / "log", layout.folder / "processes", layout.bulk / "volumes"):
        folder.mkdir(parents=True, exist_ok=True)
    pki.ensure(layout)
    encoded = {path.name: base64.b64encode(path.read_bytes()).decode() for path in layout.pki.iterdir()}
    users = ["admin", "controller-manager", "scheduler", "proxy", "firewall", "kwok", *(node.name for node in layout.all_nodes)]
    for user in users:
        _write(layout.folder / f"{user}.kubeconfig", configs.kubeconfig(layout, user, encoded))
    _write(layout.folder / "audit-policy.yaml", configs.audit_policy())
    _write(layout.folder / "scheduler.yaml", configs.scheduler(layout))
    for node in layout.all_nodes:
        (node.folder / "cni").mkdir(parents=True, exist_ok=True)
        node.run_dir.mkdir(parents=True, exist_ok=True)
        _write(node.folder / "kubelet.yaml", configs.kubelet(layout, node))
        _write(node.folder / "proxy.yaml", configs.kube_proxy(layout, node))
        _write(node.folder / "cni/10-hardened.conflist", configs.cni(layout, node))
        _replace(node.folder / "containerd.toml", tomli_w.dumps(configs.containerd(node)))


def _write(path: Path, content: dict[str, Any]) -> None:
    """As JSON, which every reader of YAML reads."""
    _replace(path, json.dumps(content, indent=1) + "\n")


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(path)
