"""Whether pods could be made is asked of the API server, which makes none of them; and what a namespace demands of them."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from tests.memory.api_server import Call, MemoryApiServer

from hardened.core.model.manifest import ChildKey
from hardened.core.observe.observed import Constraints, NamespaceSnapshot
from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain
from hardened.shell.kinds import LIMIT_RANGE, NETWORK_POLICY, POD, RESOURCE_QUOTA, Kind
from hardened.shell.namespace_reader import NamespaceReader


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
    found = asyncio.run(NamespaceReader(api).refused([pod("one"), pod("two")]))
    assert found == ({ChildKey("Pod", "one"): failure} if is_told else {})
    assert api.all(POD) == []
    assert (api.writes, api.changes) == ([], [])


async def demanding() -> MemoryApiServer:
    """A namespace with an object of each kind that demands something of pods, and a policy of the operator's own."""
    api = MemoryApiServer(["shop", "mall"])
    people = api.outsider("kubectl")
    for kind, name, labels in (
        (RESOURCE_QUOTA, "small", {}),
        (LIMIT_RANGE, "sizes", {}),
        (NETWORK_POLICY, "default-deny", {}),
        (NETWORK_POLICY, "web-blue", {"app.kubernetes.io/managed-by": "hardened"}),
    ):
        meta = {"name": name, "namespace": "shop", "labels": labels}
        await people.create(kind, {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "spec": {}})
    return api


def found(live: Iterable[Mapping[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in live]


def test_a_namespace_demands_what_its_limit_ranges_say_and_the_policies_that_are_not_ours() -> None:
    async def look() -> None:
        lookout = NamespaceReader(await demanding())
        seen = await lookout.constraints("shop")
        assert (found(seen.limit_ranges), found(seen.policies), seen.is_known) == (["sizes"], ["default-deny"], True)
        assert await lookout.constraints("mall") == Constraints()

    asyncio.run(look())


def test_limit_ranges_count_before_a_release_where_there_is_a_quota() -> None:
    async def look() -> None:
        api = await demanding()
        lookout = NamespaceReader(api)
        assert found((await lookout.look("shop", ())).limit_ranges) == ["sizes"]
        api.calls.clear()
        assert await lookout.look("mall", ()) == NamespaceSnapshot(config_maps={})
        assert [call.kind for call in api.calls] == [RESOURCE_QUOTA]

    asyncio.run(look())


@pytest.mark.parametrize("kind", [LIMIT_RANGE, NETWORK_POLICY], ids=str)
def test_under_the_rights_of_an_older_chart_what_may_not_be_listed_demands_nothing(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(call: Call) -> None:
        if call.kind == kind:
            raise Refused(f"{kind.plural} is forbidden", status=403)

    async def look() -> None:
        api = await demanding()
        api.before = refuse
        lookout = NamespaceReader(api)
        with caplog.at_level("INFO", "hardened.shell.namespace_reader"):
            for _ in range(3):
                seen = await lookout.constraints("shop")
        assert seen.is_known
        assert found((*seen.limit_ranges, *seen.policies)) == ["default-deny" if kind == LIMIT_RANGE else "sizes"]

    asyncio.run(look())
    assert len(caplog.records) == 1, "said once"
