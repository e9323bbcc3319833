"""What a kubeconfig must be like: every field's type, and of the chosen context what the client libraries can use."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from hardenctl.output.outcome import usage

#: Stands for every field of an object.
ANY = "*"
# A type, a list of one shape, or fields with their shapes. What is not named here is not read.
_EXEC = {
    "apiVersion": str,
    "command": str,
    "args": [str],
    "env": [{"name": str, "value": str}],
    "provideClusterInfo": bool,
    "interactiveMode": str,
    "installHint": str,
}
_CLUSTER = {
    "server": str,
    "certificate-authority": str,
    "certificate-authority-data": str,
    "insecure-skip-tls-verify": bool,
    "tls-server-name": str,
    "proxy-url": str,
}
_USER = {
    "token": str,
    "tokenFile": str,
    "client-certificate": str,
    "client-certificate-data": str,
    "client-key": str,
    "client-key-data": str,
    "username": str,
    "password": str,
    "as": str,
    "as-uid": str,
    "as-groups": [str],
    "as-user-extra": {ANY: [str]},
    "exec": _EXEC,
    "auth-provider": {"name": str, "config": {}},
}
_KUBECONFIG = {
    "current-context": str,
    "clusters": [{"name": str, "cluster": _CLUSTER}],
    "contexts": [{"name": str, "context": {"cluster": str, "user": str, "namespace": str}}],
    "users": [{"name": str, "user": _USER}],
}
_WORDS = {str: "a string", bool: "true or false"}


def check_types(source: str, document: Mapping[str, Any]) -> None:
    """Raises CommandEnd (usage) with the first field of a kubeconfig that has another type; null is as good as left out.

    Example: {"contexts": 5} -> "config is not a kubeconfig: contexts must be a list".
    """
    wrong = next(_wrong(document, _KUBECONFIG, ""), None)
    if wrong:
        raise usage(f"{source} is not a kubeconfig: {wrong}")


def _wrong(value: Any, shape: Any, path: str) -> Iterator[str]:
    if value is None:
        return
    match shape:
        case dict():
            if not isinstance(value, dict):
                yield f"{path} must be an object"
                return
            for name, inner in ((name, shape[ANY]) for name in value) if ANY in shape else shape.items():
                yield from _wrong(value.get(name), inner, f"{path}.{name}" if path else name)
        case [inner]:
            if not isinstance(value, list):
                yield f"{path} must be a list"
                return
            for at, item in enumerate(value):
                if item is None:
                    yield f"{path}[{at}] must not be null"
                yield from _wrong(item, inner, f"{path}[{at}]")
        case kind if not isinstance(value, kind):
            yield f"{path} must be {_WORDS[kind]}"


def check_usable(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    """Raises CommandEnd (usage) for what no client library can work with. No message holds a URL: it may hold a password."""
    for field in ("server", "proxy-url"):
        if cluster.get(field) and not _is_http(cluster[field]):
            raise usage(f"the kubeconfig's {field} is not an http or https URL", "write it as https://HOST:PORT")
    plugin = user.get("exec")
    for field in ("command", "apiVersion"):
        if plugin is not None and not plugin.get(field):
            raise usage(f"the kubeconfig's exec has no {field}")
    provider = user.get("auth-provider")
    if provider is not None and provider.get("name") != "oidc":
        text = f"the kubeconfig's auth-provider {provider.get('name')} is not supported"
        raise usage(text, "log in with its exec plugin, as kubectl does")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket left open, or a port that is none
        return False
