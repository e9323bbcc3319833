"""What is shown of a kubeconfig never holds its secrets."""

from typing import Any

import pytest

from hardenctl.cluster.api_cluster import Cluster, connect
from hardenctl.output.outcome import CommandEnd
from hardened.errors import TryAgain

NOBODY = "127.0.0.1:1"


@pytest.fixture
def cluster(kubeconfig_file: Any) -> Any:
    """cluster(user=…, cluster=…): the cluster of a kubeconfig with these entries; nobody answers there."""

    def connected(**entries: Any) -> Cluster:
        return connect(kubeconfig=str(kubeconfig_file(**entries)), request_timeout=3)

    return connected


@pytest.mark.parametrize("version", ["v1beta1", "v1"])
def test_a_plugin_that_fails_is_named_without_its_arguments(cluster: Any, version: str) -> None:
    plugin = {"apiVersion": f"client.authentication.k8s.io/{version}", "command": "false", "args": ["--token=SECRET"]}
    with pytest.raises(CommandEnd) as caught:
        cluster(user={"exec": plugin}).get("/version")
    assert caught.value.message.startswith("the credential plugin false gave no credentials")
    assert "SECRET" not in caught.value.message


def test_the_exit_status_of_a_plugin_is_told(cluster: Any) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "sh", "args": ["-c", "exit 7"]}
    with pytest.raises(CommandEnd, match="gave no credentials: it ended with exit status 7"):
        cluster(user={"exec": plugin}).get("/version")


@pytest.mark.parametrize("more", [{}, {"proxy-url": f"http://{NOBODY}"}], ids=["the light client", "the official client"])
@pytest.mark.parametrize("secret", ["SECRET", "SEC@SECRET"])
def test_the_password_in_a_servers_url_is_not_shown(cluster: Any, secret: str, more: dict[str, str]) -> None:
    found = cluster(cluster={"server": f"https://bob:{secret}@{NOBODY}", **more})
    assert found.server == f"https://{NOBODY}"
    with pytest.raises(TryAgain) as caught:
        found.get("/version")
    assert "SEC" not in caught.value.message


def test_a_url_that_cannot_be_used_is_not_shown(cluster: Any) -> None:
    with pytest.raises(CommandEnd, match="server is not an http or https URL") as caught:
        cluster(cluster={"server": f"https://bob:SEC/SECRET@{NOBODY}"})
    assert "SEC" not in f"{caught.value.message} {caught.value.hint}"
