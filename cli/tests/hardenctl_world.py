"""A small cluster in memory behind hardenctl's own interface, and services to put into it."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from hardenctl.cluster.paths import CHILD_COLLECTIONS
from hardened.errors import ApiFailure, LookAgain, TryAgain, Vanished

_COLLECTIONS = {template.rpartition("/")[2] for template in CHILD_COLLECTIONS.values()} | {"pods", "replicasets", "events"}
ACTIONS = "/apis/hardened.dev/v1alpha1/namespaces/shop/hardenedserviceactions"
CHILDREN = "/apis/apps/v1/namespaces/shop"
SERVICES = "/apis/hardened.dev/v1alpha1/namespaces/shop/hardenedservices"
OLD_IMAGE, NEW_IMAGE = "registry.example/api:1.0", "registry.example/api:2.0"
#: What the older of two revisions refers to.
REFERS: dict[str, Any] = {
    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}],
    "envFrom": [{"configMapRef": {"name": "flags"}}],
    "volumes": [
        {"name": "tls", "mountPath": "/tls", "secret": {"secretName": "cert"}},
        {"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}},
    ],
}
#: Their names, as the operator gives them: written down, since whoever asks for no revision is to load no models.
REVISION, NEW = "adede321b372", "53a84c56a341"


def condition(kind: str, status: str, reason: str = "Healthy", message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-01-02T03:04:05Z"}


def service(
    name: str = "api", *, generation: int = 1, version: int = 1, status: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "generation": generation, "resourceVersion": str(version)},
        "spec": {"image": "registry.example/api:1.0", "replicas": 2, **spec},
        "status": {"observedGeneration": -1} if status is None else status,
    }


def state(phase: str, *conditions: dict[str, Any], seen: int = 1, available: int = 2) -> dict[str, Any]:
    serving = {"color": "blue", "revision": REVISION, "image": "registry.example/api:1.0"}
    return {
        "observedGeneration": seen,
        "phase": phase,
        "availableReplicas": available,
        "replicas": 2,
        "serving": serving,
        "conditions": list(conditions),
    }


def healthy(seen: int = 1) -> dict[str, Any]:
    message = f"revision {REVISION} serves with 2 of 2 pods"
    return state("Healthy", condition("Ready", "True", message=message), condition("Available", "True", "PodsAvailable"), seen=seen)


def progressing(seen: int = 1) -> dict[str, Any]:
    ready = condition("Ready", "False", "RollingOut", f"revision {REVISION}: 1 of 2 pods available")
    return state("Progressing", ready, condition("Available", "True", "PodsAvailable"), seen=seen, available=1)


def degraded(reason: str = "CrashLooping", *, stalled: bool = False, seen: int = 1) -> dict[str, Any]:
    text = "pod api-1, container app: ended with exit code 1"
    ready = condition("Ready", "False", reason, text)
    return state(
        "Degraded",
        ready,
        condition("Available", "False", "NoPodsAvailable", "0 of 2 pods can take requests"),
        condition("Stalled", "True" if stalled else "False", reason, text),
        seen=seen,
        available=0,
    )


def suspended() -> dict[str, Any]:
    return state("Suspended", condition("Ready", "False", "Suspended", "spec.suspend is true"))


def releasing(step: str = "VerifyAfter", *, phase: str = "Progressing", **more: Any) -> dict[str, Any]:
    """In the middle of a release of NEW, beside REVISION."""
    text = f"{step}: revision {NEW} ({NEW_IMAGE}) is on its way in green"
    found = state(phase, condition("Ready", "False", "RollingOut", text), condition("Available", "True", "PodsAvailable"))
    stable = {"color": "blue", "revision": REVISION, "promotion": 1}
    release = {
        "revision": NEW,
        "image": NEW_IMAGE,
        "color": "green",
        "key": "k2",
        "step": step,
        "startedAt": "2026-01-02T03:04:05Z",
        **more,
    }
    return found | {"stable": stable, "release": release}


def kept() -> dict[str, Any]:
    """NEW was promoted; REVISION is still up."""
    serving = {"color": "green", "revision": NEW, "image": NEW_IMAGE}
    stable = {"color": "green", "revision": NEW, "promotion": 2}
    release = {"revision": NEW, "image": NEW_IMAGE, "color": "green", "key": "k2", "step": "Keep", "startedAt": "2026-01-02T03:04:05Z"}
    return healthy() | {"serving": serving, "stable": stable, "release": release}


def taken_back(*, after_cutover: bool = True, is_available: bool = True) -> dict[str, Any]:
    """NEW has failed; REVISION serves."""
    word, phase, did = ("RolledBack", "RolledBack", "was rolled back") if after_cutover else ("Rejected", "Rejected", "was rejected")
    text = f"revision {NEW} {did}: CheckFailed: check smoke failed: 500"
    found = state(
        phase,
        condition("Ready", "False", word, text),
        condition("Available", "True" if is_available else "False"),
        condition("Stalled", "True", word, text),
    )
    pin = {"revision": NEW, "rejectedKey": "k2", "reason": "CheckFailed", "message": "check smoke failed: 500"}
    stable = {"color": "blue", "revision": REVISION, "promotion": 1}
    return found | {"stable": stable, "pin": {**pin, **({"afterCutover": True} if after_cutover else {})}}


def going_back(step: str, *, is_available: bool = True) -> dict[str, Any]:
    """NEW has failed, which status says already; traffic, or data, is still on its way back."""
    return taken_back(is_available=is_available) | {"release": releasing(step)["release"]}


def gone_back() -> dict[str, Any]:
    """The spec asks for REVISION again, which traffic has come back to; the pods of NEW stay for a moment."""
    release = releasing("SwitchBack", confirmedAt="2026-01-02T03:04:05Z")
    return healthy() | {"stable": release["stable"], "release": release["release"]}


def stored(
    revision: str, number: int, image: str, *, promotion: int = 0, passed: str = "", rejected: str = "", **fields: Any
) -> dict[str, Any]:
    """A ControllerRevision. passed: the key that it was promoted under; rejected: the annotation, as JSON.

    REVISION and NEW are as the operator stores them; what has another name cannot be used, and is shown all the same.
    """
    from hardened.api.parse import HardenedService, parse_spec
    from hardened.core.desired.controller_revision import controller_revision
    from hardened.core.revisions.revision import render

    fields = fields or (REFERS if revision == REVISION else {})
    svc = HardenedService("api", "shop", "uid-api", 1, parse_spec({"image": image, **fields}))
    marks = {"hardened.dev/promotion": str(promotion)} if promotion else {}
    marks |= {"hardened.dev/promoted-key": passed} if passed else {}
    marks |= {"hardened.dev/rejected": rejected} if rejected else {}
    return {
        "metadata": {
            "name": f"api-{revision}",
            "uid": f"uid-{revision}",
            "creationTimestamp": f"2026-01-0{number}T03:04:05Z",
            "annotations": marks,
            "ownerReferences": [{"uid": "uid-api", "controller": True}],
        },
        "revision": number,
        "data": dict(controller_revision(svc, replace(render(svc), name=revision), number, {})["data"]),
    }


def deployment(color: str, revision: str, ready: int, wanted: int) -> dict[str, Any]:
    labels = {"hardened.dev/color": color, "hardened.dev/revision": revision}
    spec = {"replicas": wanted, "template": {"metadata": {"labels": labels}}}
    return {"metadata": {"name": f"api-{color}", "labels": labels}, "spec": spec, "status": {"readyReplicas": ready}}


def modified(live: dict[str, Any]) -> dict[str, Any]:
    return {"type": "MODIFIED", "object": live}


class FakeCluster:
    """objects: by path; watches: what each watch sends before it ends, or the error with which it fails; refusal: of every apply.

    answers: the statuses that an action gets, one after the other; user: who asks, or the error that says nobody knows; losses: how many
    replies to the making of an action are lost after it was made; logs: by pod, what it says, or the error with which that fails.
    """

    context, server, namespace = "test", "https://cluster.example", "shop"

    def __init__(self, *services: dict[str, Any]) -> None:
        self.objects: dict[str, Any] = {f"{SERVICES}/{s['metadata']['name']}": s for s in services}
        self.watches: list[list[dict[str, Any]] | ApiFailure] = []
        self.refusal: ApiFailure | None = None
        self.answers: list[dict[str, Any]] = []
        self.user: str | ApiFailure = "bob@example"
        self.losses = 0
        self.logs: dict[str, list[str] | ApiFailure] = {}
        self.asked: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self.applied: list[tuple[str, dict[str, Any], bool]] = []
        self.merged: list[tuple[str, dict[str, Any]]] = []
        self.deleted: list[tuple[str, dict[str, Any]]] = []

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        plain = path.partition("?")[0]
        found = self.objects.get(plain)
        if isinstance(found, ApiFailure):
            raise found
        if found is not None:
            return copy.deepcopy(found)
        if plain.endswith("/hardenedservices"):
            return self._list(path)
        if plain.rpartition("/")[2] in _COLLECTIONS:
            return {"items": []}
        if plain == ACTIONS:
            return {"metadata": {"resourceVersion": "1"}, "items": copy.deepcopy(self.asked)}
        name = plain.rpartition("/")[2]
        raise Vanished(f'hardenedservices.hardened.dev "{name}" not found', status=404, reason="NotFound")

    def is_there(self, path: str) -> bool:
        found = self.objects.get(path)
        if isinstance(found, ApiFailure):
            raise found
        return found is not None

    def _list(self, path: str) -> dict[str, Any]:
        broken = [o for p, o in self.objects.items() if p.startswith(SERVICES) and isinstance(o, ApiFailure)]
        if broken:
            raise broken[0]
        items = [o for o in self.objects.values() if isinstance(o, dict) and o.get("kind") == "HardenedService"]
        chosen = dict(parse_qsl(path.partition("?")[2])).get("fieldSelector", "").removeprefix("metadata.name=")
        newest = max((int(item["metadata"]["resourceVersion"]) for item in items), default=1)
        found = [item for item in items if chosen in ("", item["metadata"]["name"])]
        return {"metadata": {"resourceVersion": str(newest)}, "items": copy.deepcopy(found)}

    def apply(
        self, path: str, manifest: Mapping[str, Any], *, force: bool = False, dry_run: bool = False, manager: str = "hardenctl"
    ) -> dict[str, Any]:
        if self.refusal and not force:
            raise self.refusal
        if manifest["kind"] == "ControllerRevision":
            assert manager == "hardened", "whoever else manages it keeps the operator from taking its marks off"
            return self._made(path.rpartition("/")[0] + "?dryRun" * dry_run, manifest)
        self.applied.append((path, copy.deepcopy(dict(manifest)), dry_run))
        before = self.objects.get(path)
        after = service(manifest["metadata"]["name"])
        after["spec"] = {**(before["spec"] if before else {}), **manifest["spec"]}
        if before:
            is_same = after["spec"] == before["spec"]
            after["status"] = before["status"]
            after["metadata"] |= {
                "generation": before["metadata"]["generation"] + (not is_same),
                "resourceVersion": str(int(before["metadata"]["resourceVersion"]) + (not is_same)),
            }
        if not dry_run:
            self.objects[path] = after
        return copy.deepcopy(after)

    def merge(self, path: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        live = self.get(path)
        self.merged.append((path, copy.deepcopy(dict(changes))))
        live["spec"] = {**live.get("spec", {}), **changes.get("spec", {})}
        self.objects[path] = live
        return copy.deepcopy(live)

    def delete(self, path: str, options: Mapping[str, Any]) -> dict[str, Any]:
        live = self.get(path)
        self.deleted.append((path, dict(options)))
        del self.objects[path]
        return live

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if body["kind"] == "SelfSubjectReview":
            if isinstance(self.user, ApiFailure):
                raise self.user
            return {"status": {"userInfo": {"username": self.user}}}
        if body["kind"] == "HardenedServiceAction":
            return self._ask(path, body)
        if body["kind"] == "HardenedService":
            return self._made(path, body)
        verb = body["spec"]["resourceAttributes"]["verb"]
        return {"status": {"allowed": verb not in self.objects.get("denied", ())}}

    def _made(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        plain, _, query = path.partition("?")
        one = f"{plain}/{body['metadata']['name']}"
        if isinstance(refused := self.objects.get(f"create {one}"), ApiFailure):
            raise refused
        if one in self.objects:
            raise LookAgain(f'"{body["metadata"]["name"]}" already exists', status=409, reason="AlreadyExists")
        if "dryRun" not in query:
            self.made.append(copy.deepcopy(dict(body)))
            self.objects[one] = copy.deepcopy(dict(body))
        return copy.deepcopy(dict(body))

    def _ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if self.refusal:
            raise self.refusal
        name = body["metadata"]["name"]
        if any(each["metadata"]["name"] == name for each in self.asked):
            raise LookAgain(f'"{name}" already exists', status=409, reason="AlreadyExists")
        live = copy.deepcopy(dict(body))
        live["metadata"]["resourceVersion"] = "1"
        self.asked.append(live)
        self.objects[f"{path}/{name}"] = live
        if self.losses:
            self.losses -= 1
            raise TryAgain("Connection reset")
        return copy.deepcopy(live)

    def watch(self, path: str, timeout: float) -> Iterator[dict[str, Any]]:
        if path.partition("?")[0] == ACTIONS:
            yield from self._answered()
            return
        script = self.watches.pop(0) if self.watches else []
        if isinstance(script, ApiFailure):
            raise script
        for event in script:
            live = event["object"]
            if event["type"] == "MODIFIED":
                self.objects[f"{SERVICES}/{live['metadata']['name']}"] = live
            yield copy.deepcopy(event)

    def lines(self, path: str, timeout: float) -> Iterator[str]:
        plain, _, query = path.partition("?")
        self.applied.append((path, {}, True))
        said = self.logs.get(plain.split("/")[-2], [])
        if isinstance(said, ApiFailure):
            raise said
        tail = int(dict(parse_qsl(query)).get("tailLines", len(said)))
        yield from said[len(said) - tail :]

    def _answered(self) -> Iterator[dict[str, Any]]:
        while self.answers:
            live = self.asked[-1]
            live["status"] = self.answers.pop(0)
            live["metadata"]["resourceVersion"] = str(int(live["metadata"]["resourceVersion"]) + 1)
            yield {"type": "MODIFIED", "object": copy.deepcopy(live)}
