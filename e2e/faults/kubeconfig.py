"""Kubeconfigs: where the real API server is, read from one; how to reach the proxy, written as one."""

from __future__ import annotations

import base64
import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class BadKubeconfig(Exception):
    """The kubeconfig cannot be used for the proxy; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The API server behind the proxy: no credentials, for the client's own pass through, and any other would lend it more rights.

    ca: PEM text; None trusts what the system trusts, or is for a plain http:// server in a test's own process.
    """

    url: str
    ca: str | None = None
    tls_server_name: str | None = None

    @classmethod
    def from_kubeconfig(cls, path: Path, context: str | None = None) -> Upstream:
        """The cluster of a context (default: the current one). Raises BadKubeconfig."""
        try:
            document = yaml.safe_load(path.read_text())
            wanted = context or document["current-context"]
            chosen = _named(document["contexts"], wanted)["context"]
            cluster: dict[str, Any] = _named(document["clusters"], chosen["cluster"])["cluster"]
            url = cluster["server"].rstrip("/")
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise BadKubeconfig(f"{path}: cannot find the cluster of the context, {error!r}; give a complete kubeconfig") from error
        if cluster.get("insecure-skip-tls-verify"):
            raise BadKubeconfig(f"{path}: insecure-skip-tls-verify is not supported; name the certificate authority instead")
        authority = None
        if data := cluster.get("certificate-authority-data"):
            authority = base64.b64decode(data).decode()
        elif file := cluster.get("certificate-authority"):
            authority = (path.parent / file).read_text()
        return cls(url=url, ca=authority, tls_server_name=cluster.get("tls-server-name"))

    def ssl_context(self) -> ssl.SSLContext | bool:
        """What an HTTP client needs to trust this server; True, its default, for plain HTTP."""
        return ssl.create_default_context(cadata=self.ca) if self.url.startswith("https:") else True


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for entry in entries:
        if entry["name"] == name:
            return entry
    raise KeyError(name)


def write_kubeconfig(path: Path, *, server: str, ca: bytes, token: str | None, token_file: Path | None, namespace: str) -> Path:
    """Writes a kubeconfig (mode 0600; JSON, which is YAML) for one cluster and one bearer token. Returns the path."""
    user: dict[str, str] = {}
    if token is not None:
        user["token"] = token
    if token_file is not None:
        user["tokenFile"] = str(token_file.absolute())
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "proxy",
        "clusters": [{"name": "proxy", "cluster": {"server": server, "certificate-authority-data": base64.b64encode(ca).decode()}}],
        "users": [{"name": "proxy", "user": user}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy", "namespace": namespace}}],
    }
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file, indent=2)
    return path
