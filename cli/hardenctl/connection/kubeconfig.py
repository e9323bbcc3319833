"""Which cluster, as whom and in which namespace: read from kubeconfig files by kubectl's rules."""

import base64
import binascii
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardenctl.connection.kubeconfig_rules import check_types, check_usable
from hardenctl.output.outcome import CommandEnd, usage

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PATHS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}
_OLD_EXEC = ("client.authentication.k8s.io/v1alpha1", "client.authentication.k8s.io/v1beta1")
_LARGEST = 8 * 1024 * 1024


@dataclass(frozen=True)
class ResolvedContext:
    """One context of a kubeconfig, resolved."""

    context: str
    """Its name."""
    namespace: str
    """The one that was named, else the context's own."""
    cluster: Mapping[str, Any]
    """Its entry in the kubeconfig, with absolute paths."""
    user: Mapping[str, Any]
    """Its entry in the kubeconfig, with absolute paths."""

    @property
    def server(self) -> str:
        """The API server's URL, without a slash at its end."""
        return str(self.cluster.get("server") or "http://localhost:8080").rstrip("/")

    @property
    def shown_server(self) -> str:
        """The API server's URL for people to read: without the user and the password that it may hold."""
        # Up to the last @: a password that was not escaped may hold one itself.
        before, _, rest = self.server.rpartition("@")
        scheme, slashes, _ = before.partition("//")
        return f"{scheme}{slashes}{rest}" if slashes else rest

    @property
    def needs_official_client(self) -> bool:
        """True where the official client is taken: for auth providers, proxies, exec plugins newer than v1beta1, and token files."""
        plugin = self.user.get("exec") or {}
        return bool(
            (plugin and (plugin.get("apiVersion") not in _OLD_EXEC or plugin.get("provideClusterInfo")))
            or self.user.get("auth-provider")
            or self.user.get("tokenFile")
            or self.cluster.get("proxy-url")
        )

    def document(self, folder: Path) -> dict[str, Any]:
        """A kubeconfig of this context alone, without what `credentials` sends: of the user, certificates and an auth provider are left.

        Embedded certificates and keys are written into `folder`, which must be private.

        Both client libraries would write them into the shared folder for temporary files otherwise; pykube does so under
        a name that others can foretell, readable by all.
        """
        user = {field: value for field, value in self.user.items() if field.startswith(("client-", "auth-provider"))}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "this",
            "contexts": [{"name": "this", "context": {"cluster": "this", "user": "this", "namespace": self.namespace}}],
            "clusters": [{"name": "this", "cluster": _unpacked(self.cluster, _PATHS["clusters"], folder) | {"server": self.server}}],
            "users": [{"name": "this", "user": _unpacked(user, _PATHS["users"], folder)}],
        }


def _unpacked(entry: Mapping[str, Any], names: Sequence[str], folder: Path) -> dict[str, Any]:
    found = dict(entry)
    for name in names:
        data = found.pop(f"{name}-data", None)
        if data:
            try:
                content = base64.b64decode(data)
            except (binascii.Error, TypeError, ValueError) as error:
                raise usage(f"the kubeconfig's {name}-data is not base64") from error
            handle, path = tempfile.mkstemp(dir=folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            found[name] = path
        elif found.get(name) and not Path(found[name]).is_file():
            raise usage(f"the kubeconfig's {name} {found[name]} does not exist")
    return found


def target(kubeconfig: str = "", context: str = "", namespace: str = "") -> ResolvedContext:
    """The context to use: the one named, else the current one; else, inside a pod, its own account.

    Raises CommandEnd (usage) where there is none.
    """
    paths = _paths(kubeconfig)
    if not paths:
        found = _own_account()
        if found and not context:
            return ResolvedContext("in-cluster", namespace or found.namespace, found.cluster, found.user)
        raise usage("no kubeconfig found", "set KUBECONFIG, or name a file with --kubeconfig; without one only `render` works")
    merged = _merged([_read(path) for path in paths])
    name = context or merged["current-context"]
    if not name:
        raise usage("the kubeconfig has no current context", f"name one with --context: {_listed(merged['contexts'])}")
    if name not in merged["contexts"]:
        raise usage(f"there is no context {name!r} in the kubeconfig", f"the contexts are: {_listed(merged['contexts'])}")
    chosen = merged["contexts"][name]
    cluster = merged["clusters"].get(chosen.get("cluster"))
    if cluster is None:
        raise usage(f"context {name!r} names cluster {chosen.get('cluster')!r}, which the kubeconfig does not have")
    user = merged["users"].get(chosen.get("user"), {})
    check_usable(cluster, user)
    return ResolvedContext(name, namespace or chosen.get("namespace") or "default", cluster, user)


def _paths(kubeconfig: str) -> list[Path]:
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise usage(f"there is no kubeconfig {kubeconfig}")
        return [path]
    given = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [path for path in given or [Path("~/.kube/config").expanduser()] if path.is_file()]


def _read(path: Path) -> tuple[Path, dict[str, Any]]:
    try:
        if path.stat().st_size > _LARGEST:
            raise usage(f"{path} is too large to be a kubeconfig")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise usage(f"cannot read the kubeconfig {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise usage(f"{path} is not a kubeconfig: it is not text") from error
    document = _parsed(path, text)
    if not isinstance(document, dict):
        raise usage(f"{path} is not a kubeconfig")
    check_types(str(path), document)
    return path, document


def _parsed(path: Path, text: str) -> Any:
    # A kubeconfig in JSON, as some tools write it, needs no YAML reader: that saves 20 ms at each call.
    if text.lstrip().startswith("{"):
        import json

        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise usage(f"{path}{place} is not YAML: {getattr(error, 'problem', None) or error}") from error


def _merged(documents: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    # kubectl's rule: the first file that has an entry, or a current context, wins.
    found: dict[str, Any] = {"current-context": "", "clusters": {}, "contexts": {}, "users": {}}
    for path, document in documents:
        found["current-context"] = found["current-context"] or str(document.get("current-context") or "")
        for kind in ("clusters", "contexts", "users"):
            for item in document.get(kind) or ():
                entry = _absolute(item.get(kind[:-1]) or {}, _PATHS.get(kind, ()), path.absolute().parent)
                found[kind].setdefault(item.get("name"), entry)
    return found


def _absolute(entry: Mapping[str, Any], names: Sequence[str], folder: Path) -> dict[str, Any]:
    found = dict(entry)
    for name in names:
        if isinstance(found.get(name), str) and found[name]:
            found[name] = str(folder / found[name])
    plugin = found.get("exec")
    if isinstance(plugin, dict) and "/" in str(plugin.get("command", "")):
        found["exec"] = {**plugin, "command": str(folder / plugin["command"])}
    return found


def _own_account() -> ResolvedContext | None:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (_ACCOUNT / "token").is_file():
        return None
    host = f"[{host}]" if ":" in host else host
    try:
        namespace = (_ACCOUNT / "namespace").read_text().strip()
        token = (_ACCOUNT / "token").read_text().strip()
    except OSError as error:
        raise CommandEnd(f"cannot read the pod's own account: {error}") from error
    cluster = {"server": f"https://{host}:{port}", "certificate-authority": str(_ACCOUNT / "ca.crt")}
    return ResolvedContext("in-cluster", namespace or "default", cluster, {"token": token})


def _listed(contexts: Mapping[str, Any]) -> str:
    return ", ".join(map(str, contexts)) or "(none)"
