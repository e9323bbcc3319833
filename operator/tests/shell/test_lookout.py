"""Whether pods could be made is asked of the API server, which makes none of them."""

import asyncio

import pytest
from tests.memory.api_server import Call, MemoryApiServer

from hardened.core.manifest import ChildKey
from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain
from hardened.shell.kinds import POD
from hardened.shell.surroundings import Lookout


def pod(name: str) -> dict[str, object]:
    spec = {"containers": [{"name": "verifier", "image": "verifier:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


@pytest.mark.parametrize(
    ("failure", "is_told"),
    [
        pytest.param(None, False, id="it could be made"),
        pytest.param(Refused("exceeded quota", status=403), True, id="it is refused"),
        pytest.param(TryAgain("failed calling webhook", status=500), True, id="a webhook is down"),
        pytest.param(LookAgain("already exists", status=409), False, id="it is there by now"),
        pytest.param(Refused('admission webhook "x" does not support dry run', status=400), False, id="a webhook cannot be asked so"),
    ],
)
def test_what_cannot_be_made_is_told_with_why(failure: ApiFailure | None, is_told: bool) -> None:
    api = MemoryApiServer(["shop"])

    def fail(call: Call) -> None:
        if call.name == "one" and failure:
            raise failure

    api.before = fail
    found = asyncio.run(Lookout(api).refused([pod("one"), pod("two")]))
    assert found == ({ChildKey("Pod", "one"): failure} if is_told else {})
    assert api.all(POD) == []
    assert (api.writes, api.changes) == ([], [])
