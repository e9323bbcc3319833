"""Credential plugins, as the light client runs them."""

import json
from typing import Any

import pytest

from hardenctl.cluster.api_cluster import connect
from hardenctl.output.outcome import CommandEnd

NO_CREDENTIAL = "what it printed is not a credential"


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        pytest.param("echo", ["[]"], NO_CREDENTIAL, id="a list"),
        pytest.param("echo", ["{}"], NO_CREDENTIAL, id="an object without a status"),
        pytest.param("echo", [json.dumps({"status": None})], NO_CREDENTIAL, id="a status that is null"),
        pytest.param("echo", [json.dumps({"status": {}})], "Did not find the expected token", id="a status without a token"),
        pytest.param("true", [], NO_CREDENTIAL, id="nothing"),
        pytest.param("no-such-plugin", [], "No such file or directory", id="a plugin that is not installed"),
    ],
)
def test_a_plugin_that_gives_no_credential_ends_the_command(kubeconfig_file: Any, command: str, args: list[str], expected: str) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": command, "args": args}
    with pytest.raises(CommandEnd) as caught:
        connect(kubeconfig=str(kubeconfig_file(user={"exec": plugin}))).get("/version")
    assert caught.value.message.startswith(f"the credential plugin {command} gave no credentials: {expected}")
