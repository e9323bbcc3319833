"""A restore of a service that is to be scaled by what Prometheus knows, with KEDA, without it, and with half of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, OperatorWorld, service
from tests.shell.test_action_flows import phases_of
from tests.shell.test_backup_flows import NIGHTLY, status
from tests.shell.test_keda_flows import BOTH, QUERY
from tests.shell.test_restore_flows import Watch, application_pods, conditions, restoring_world
from tests.shell.test_restore_hardened_flows import restoring

from hardened.shell.kinds import HARDENED_SERVICE, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT

Step = Callable[[OperatorWorld], Any]
NUMBER = {"minReplicas": 2, "maxReplicas": 6, "prometheus": [QUERY]}


def creates(autoscale: dict[str, Any], how: str) -> Step:
    """how: see Store.keda."""

    async def create(world: OperatorWorld) -> None:
        world.server.store.keda = how
        world.policy = replace(world.policy, prometheus_url="http://prometheus:9090")
        spec = {**RELEASED, "replicas": None, "autoscale": autoscale, "backups": [NIGHTLY]}
        await world.people.create(HARDENED_SERVICE, service(**spec))

    return create


@pytest.mark.parametrize(
    ("autoscale", "how", "reason"),
    [
        pytest.param(BOTH, "", "NoKEDA", id="no KEDA, and cpu"),
        pytest.param(NUMBER, "", "NoKEDA", id="no KEDA, and nothing else"),
        pytest.param(BOTH, "Kinds", "NotSeen", id="its operator is away"),
        pytest.param(BOTH, "Works", "Active", id="all of it"),
    ],
)
def test_it_serves_is_restored_and_is_scaled_as_before(autoscale: dict[str, Any], how: str, reason: str) -> None:
    said: list[dict[str, Any]] = []

    async def look(world: OperatorWorld) -> None:
        said.append(status(world)["autoscale"])

    async def play() -> tuple[OperatorWorld, Watch, set[str]]:
        world = restoring_world()
        watch = Watch(world)
        await world.play(creates(autoscale, how))
        assert conditions(world)["Ready"] == ("True", "Healthy"), "what scales it is not what it serves by"
        before = scalers(world)
        await world.play(restoring(look))
        return world, watch, before

    world, watch, before = virtual_time.run(play())
    assert phases_of(world) == {"r": "Succeeded"}
    assert watch.seen == []
    assert [each["reason"] for each in said] == ["Suspended"]
    assert (status(world)["autoscale"]["reason"], scalers(world)) == (reason, before)
    assert conditions(world)["Ready"] == ("True", "Healthy")
    assert len(application_pods(world)) == 2


def scalers(world: OperatorWorld) -> set[str]:
    found = [*world.server.all(HORIZONTAL_POD_AUTOSCALER), *world.server.all(SCALED_OBJECT)]
    return {f"{each['kind']} {each['metadata']['name']}" for each in found}
