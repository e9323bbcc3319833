"""How to reach the API server, and as whom: a kubeconfig, or the service account of the pod."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from hardened.shell.settings import BadSetting

SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Where the API server is and how to show who asks. `authorization`: the header's value, `Bearer …`; None with a client certificate."""

    server: str
    authorization: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = field(default=None, repr=False)
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)


async def load(environ: Mapping[str, str]) -> Credentials:
    """The credentials as the files say now: $KUBECONFIG, else the pod's service account, else ~/.kube/config.

    Read anew at each call: projected tokens and tokenFiles are rotated (the kubelet renews a token after 80 % of its life of one hour).
    Raises BadSetting when nothing is configured or it cannot be used.
    """
    configuration = Configuration()
    # The constructor takes proxies from the environment; an operator does not send its token where an ambient variable points.
    configuration.proxy = None
    kubeconfig = environ.get("KUBECONFIG", "").strip()
    if not kubeconfig and "KUBERNETES_SERVICE_HOST" in environ:
        _load_service_account(configuration, environ)
    else:
        await _load_kubeconfig(configuration, kubeconfig or os.path.join(environ.get("HOME") or "/", ".kube", "config"))
    if configuration.proxy and not str(configuration.proxy).startswith(("http://", "https://")):
        # Not the value: it can hold a password.
        raise BadSetting("KUBECONFIG", "its proxy-url cannot be used: set it to http://… or https://…, SOCKS is not spoken")
    return Credentials(
        server=configuration.host.rstrip("/"),
        authorization=_authorization(configuration.api_key.get("BearerToken")),
        ca_file=configuration.ssl_ca_cert,
        cert_file=configuration.cert_file,
        key_file=configuration.key_file,
        verify=configuration.verify_ssl,
        server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
    )


def _load_service_account(configuration: Any, environ: Mapping[str, str]) -> None:
    loader = InClusterConfigLoader(f"{SERVICE_ACCOUNT}/token", f"{SERVICE_ACCOUNT}/ca.crt", try_refresh_token=False, environ=environ)
    try:
        loader.load_and_set(configuration)
    except (kubernetes_config.ConfigException, OSError) as error:
        raise BadSetting("KUBECONFIG", f"is not set, and the pod's service account at {SERVICE_ACCOUNT} cannot be used: {error}") from error


async def _load_kubeconfig(configuration: Any, path: str) -> None:
    if not _exists(path):
        raise BadSetting("KUBECONFIG", f"set it to a kubeconfig file, or run inside a pod: there is no {path}")
    try:
        await kubernetes_config.load_kube_config(config_file=path, client_configuration=configuration)
    except yaml.YAMLError as error:
        # Neither the message nor the cause: a parser quotes the lines around its error, and those can hold a token.
        raise BadSetting("KUBECONFIG", f"{path} is not YAML ({type(error).__name__})") from None
    except (kubernetes_config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        # The loader has no one class for a file that is YAML but no kubeconfig.
        raise BadSetting("KUBECONFIG", f"{path} cannot be used: {type(error).__name__}") from None


def _exists(path: str) -> bool:
    return any(os.path.isfile(os.path.expanduser(part)) for part in path.split(os.pathsep) if part)


def _authorization(value: str | None) -> str | None:
    """The header's value: `bearer TOKEN\\n`, as the loaders give it, becomes `Bearer TOKEN`."""
    if not value:
        return None
    scheme, _, token = value.strip().partition(" ")
    return f"{scheme.capitalize()} {token.strip()}"
