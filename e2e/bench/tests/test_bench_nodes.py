from e2e.cluster.local import kwok
from hardened.core.desired.container import DEFAULT_REQUESTS


def test_fake_nodes_have_room_for_all_that_a_hardened_pod_asks_for() -> None:
    assert {"pods", *DEFAULT_REQUESTS} <= kwok.ROOM.keys()
