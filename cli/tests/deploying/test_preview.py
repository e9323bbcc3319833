"""What `deploy --dry-run=server` makes of the children that are there."""

from typing import Any

from hardenctl_world import FakeCluster, service

from hardenctl.deploying.preview import preview
from hardenctl.deploying.wanted import wanted
from hardened.errors import Refused, TryAgain, Vanished

BODY = service()


class Stored(FakeCluster):
    """Holds what the operator made of BODY, as the server gives it out; without the revisions, and who set which field."""

    def __init__(self) -> None:
        super().__init__()
        children = [child for child in wanted(BODY, "shop") if child["kind"] != "ControllerRevision"]
        self.children = [{**c, "metadata": {**c["metadata"], "uid": "x", "resourceVersion": "1"}} for c in children]
        self.reads = 0

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        self.reads += 1
        if self.reads > 100:
            raise TryAgain("it asks for ever")
        plain = path.partition("?")[0]
        for child in self.children:
            collection = f"/{child['kind'].lower()}s"
            if plain.endswith(f"{collection}/{child['metadata']['name']}"):
                return dict(child)
        found = [child for child in self.children if plain.endswith(f"/{child['kind'].lower()}s")]
        return {"items": found} if found else super().get(path)


def test_a_deployment_without_managed_fields_is_read_once() -> None:
    found = preview(BODY, "shop", Stored())
    assert "ControllerRevision" in [change.key.kind for change in found.changes if change.action == "create"]


CONFIGURED = {**BODY, "spec": {**BODY["spec"], "envFrom": [{"configMapRef": {"name": "settings"}}]}}


def test_without_a_cluster_what_it_would_find_there_is_taken_for_granted() -> None:
    found = preview(CONFIGURED, "shop")
    assert "Deployment" in [change.key.kind for change in found.changes]
    assert found.obstacle == ""


def test_a_config_map_that_is_missing_on_the_cluster_is_an_obstacle() -> None:
    cluster = Stored()
    cluster.children = []
    assert "ConfigMap settings does not exist" in preview(CONFIGURED, "shop", cluster).obstacle
    cluster.children = [{"kind": "ConfigMap", "metadata": {"name": "settings", "labels": {}}}]
    assert preview(CONFIGURED, "shop", cluster).obstacle == ""


NUMBER = {"query": "sum(rate(requests[1m]))", "target": 100}
SCALED = {**BODY, "spec": {**BODY["spec"], "autoscale": {"maxReplicas": 6, "cpu": 70, "prometheus": [NUMBER]}}}
OBJECTS = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/api"


def scaled_by(cluster: FakeCluster | None) -> set[str]:
    kinds = {change.key.kind for change in preview(SCALED, "shop", cluster).changes}
    return kinds & {"ScaledObject", "HorizontalPodAutoscaler"}


def test_what_prometheus_knows_scales_by_keda_where_the_cluster_has_it() -> None:
    assert scaled_by(None) == {"ScaledObject"}, "without a cluster it is taken for there"
    cluster = FakeCluster()
    assert scaled_by(cluster) == {"ScaledObject"}
    cluster.objects[OBJECTS] = Vanished("HTTP 404", status=404)
    assert scaled_by(cluster) == {"HorizontalPodAutoscaler"}
    cluster.objects[OBJECTS] = Refused("scaledobjects is forbidden", status=403)
    assert scaled_by(cluster) == {"ScaledObject"}, "the operator may read what a person may not"
