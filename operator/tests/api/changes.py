"""What may become of a spec, and what the API server would refuse of it, or only pretend to do."""

from typing import Any

from tests.api.broken_rules import PORTS, spec

Change = tuple[dict[str, Any], dict[str, Any]]
_PLAIN = spec(ports=PORTS)


def _service(kind: str, **more: Any) -> dict[str, Any]:
    return {**_PLAIN, "service": {"type": kind}, **more}


def _claim(name: str = "data", size: Any = "2Gi", **claim: Any) -> dict[str, Any]:
    return spec(volumes=[{"name": name, "mountPath": "/data", "claim": {"size": size, **claim}}])


#: sentence -> (spec before, spec after, the path that is named)
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "headless, and now with an address": (_service("Headless"), _service("ClusterIP"), "spec.service.type"),
    "headless, and now with an address by default": (_service("Headless"), _PLAIN, "spec.service.type"),
    "headless, and now with its ports open on nodes": (_service("Headless"), _service("NodePort"), "spec.service.type"),
    "headless, and now a worker with an address": (_service("Headless"), _service("ClusterIP", ports=[]), "spec.service.type"),
    "headless from now on": (_service("LoadBalancer"), _service("Headless"), "spec.service.type"),
    "headless from now on, where no type was said": (_PLAIN, _service("Headless"), "spec.service.type"),
    "headless from now on, where annotations were said": (
        {**_PLAIN, "service": {"annotations": {"a": "b"}}}, _service("Headless"), "spec.service.type"),
    "another storage class": (
        _claim(storageClassName="fast"), _claim(storageClassName="slow"), "spec.volumes[0].claim.storageClassName"),
    "a storage class where none was said": (_claim(), _claim(storageClassName="slow"), "spec.volumes[0].claim.storageClassName"),
    "no storage class any more": (_claim(storageClassName="fast"), _claim(), "spec.volumes[0].claim.storageClassName"),
    "other access modes": (_claim(accessModes=["ReadWriteMany"]), _claim(accessModes=["ReadWriteOnce"]), "spec.volumes[0].claim.accessModes"),
    "other access modes than those by default": (_claim(), _claim(accessModes=["ReadWriteMany"]), "spec.volumes[0].claim.accessModes"),
    "one access mode more": (
        _claim(), _claim(accessModes=["ReadWriteOnce", "ReadOnlyMany"]), "spec.volumes[0].claim.accessModes"),
    "access modes in another order": (
        _claim(accessModes=["ReadOnlyMany", "ReadWriteOnce"]), _claim(accessModes=["ReadWriteOnce", "ReadOnlyMany"]),
        "spec.volumes[0].claim.accessModes"),
    "less room": (_claim(), _claim(size="1Gi"), "spec.volumes[0].claim.size"),
    "less room in other units": (_claim(), _claim(size="2000Mi"), "spec.volumes[0].claim.size"),
    "less room, as a number": (_claim(size=2000), _claim(size=1000), "spec.volumes[0].claim.size"),
    "less room behind another volume": (
        _claim(), spec(volumes=[{"name": "other", "mountPath": "/other", "emptyDir": {}}, *_claim(size="1Gi")["volumes"]]),
        "spec.volumes[1].claim.size"),
    "itself among what it depends on": (_PLAIN, spec(dependsOn=[{"tcp": "db:5432"}, {"service": "edge"}]), "spec.dependsOn"),
}  # fmt: skip

#: sentence -> (spec before, spec after)
TAKEN: dict[str, Change] = {
    "headless as before": (_service("Headless"), {**_service("Headless"), "image": "registry.example/shop:2"}),
    "a worker was headless, which has no Service": (spec(service={"type": "Headless"}), spec(ports=PORTS)),
    "a worker gets ports, and is headless": (spec(), _service("Headless")),
    "another type": (_service("ClusterIP"), _service("LoadBalancer")),
    "no type any more": (_service("NodePort"), _PLAIN),
    "the type that it has by default": (_PLAIN, _service("ClusterIP")),
    "the access mode that it has by default": (_claim(), _claim(accessModes=["ReadWriteOnce"])),
    "the same room in other units": (_claim(), _claim(size="2048Mi")),
    "more room": (_claim(size="900Mi"), _claim(size="1Gi")),
    "another volume with a claim of its own": (_claim(), _claim("other", size="1Gi", storageClassName="slow")),
    "no claim any more": (_claim(), spec(volumes=[{"name": "data", "mountPath": "/data", "emptyDir": {}}])),
    "a claim where there was none": (spec(volumes=[{"name": "data", "mountPath": "/data", "emptyDir": {}}]), _claim()),
    "another service among what it depends on": (_PLAIN, spec(dependsOn=[{"service": "edges"}, {"tcp": "edge:80"}])),
}
