"""A workload and what stands around it, as one HardenedService: what Deployment, Rollout and Ingress have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hardenctl.converting.finish import finished
from hardenctl.converting.notes import Converted, Notes, mapping, without_empty
from hardenctl.converting.objects import Objects, called, name_of, own_labels
from hardenctl.converting.pod import application, pod_fields
from hardenctl.converting.ports import ports_of, service_settings
from hardenctl.converting.scaling import autoscale_of, budget_of
from hardened.api.parse import parse


@dataclass(frozen=True)
class Workload:
    """Something that runs pods by a template."""

    manifest: Mapping[str, Any]
    """As it is written."""
    template: Mapping[str, Any]
    """Of its pods."""
    release: Mapping[str, Any] = field(default_factory=dict)
    """spec.release, as far as the workload says it."""
    verify: Mapping[str, Any] = field(default_factory=dict)
    """spec.verify, as far as the workload says it."""
    services: tuple[str, ...] = ()
    """The names of the Services that are its own, if it says so; the first is the one that clients use."""

    @property
    def labels(self) -> Mapping[str, Any]:
        """Of its pods."""
        return mapping(mapping(self.template.get("metadata")).get("labels"))


def converted(workload: Workload, objects: Objects, images: Mapping[str, str], notes: Notes) -> Converted:
    """The service. images: by name, those that somebody has named. Raises CannotConvert."""
    manifest, name = workload.manifest, name_of(workload.manifest)
    spec, where = mapping(manifest.get("spec")), called(manifest)
    app = application(workload.template, name)
    service = _service(workload, objects, notes)
    at = f"{where} spec.template"
    fields = pod_fields(workload.template, app, objects, notes, at)
    resources = mapping(fields.get("resources"))
    autoscale = autoscale_of(str(manifest.get("kind")), name, objects, mapping(resources.get("requests")), notes)
    replicas = _replicas(spec, autoscale, notes, where)
    ports = ports_of(app, service, notes, f"{at}.spec.containers[{app.get('name')}]")
    if ports and service is None:
        notes.guessed("spec.ports", f"no Service in the file leads to it: it gets one, of the name {name}")
    least = autoscale["minReplicas"] if autoscale else replicas or 1
    body = {
        **fields,
        "ports": ports,
        "replicas": replicas,
        "autoscale": autoscale,
        "service": service_settings(service, notes) if service else {},
        "availability": budget_of(objects, workload.labels, least, notes),
        "release": {**_release(spec, notes, where), **workload.release},
        "verify": dict(workload.verify),
    }
    called_by = name_of(service) if service else name
    if called_by != name:
        notes.changed(f"{where} metadata.name", f"{called_by}, as the Service is called that clients use")
    meta = {"name": called_by, "namespace": mapping(manifest.get("metadata")).get("namespace"), "labels": own_labels(manifest)}
    found = finished(where, without_empty(meta), body, images, notes)
    is_switched = parse(found.body).spec.effective_strategy == "BlueGreen"
    return replace(found, service=called_by if service and is_switched else "")


def _service(workload: Workload, objects: Objects, notes: Notes) -> Mapping[str, Any] | None:
    """The one that clients use: the one that the workload names, else that of its name, else the first that is not headless."""
    found = objects.selecting("Service", workload.labels)
    named = [each for name in workload.services for each in objects.of("Service") if name_of(each) == name]
    if named:
        found = [named[0], *(each for each in found if name_of(each) not in workload.services)]
    if not found:
        return None
    same = [each for each in found if name_of(each) == name_of(workload.manifest)]
    routed = [each for each in found if mapping(each.get("spec")).get("clusterIP") != "None"]
    chosen = named[0] if named else (same or routed or found)[0]
    for each in found:
        if each is not chosen:
            notes.left_out(called(each), f"the operator makes one Service, {name_of(chosen)}: give this one its selector by hand")
    return chosen


def _replicas(spec: Mapping[str, Any], autoscale: Mapping[str, Any] | None, notes: Notes, where: str) -> int | None:
    given = spec.get("replicas")
    if autoscale:
        if given is not None:
            notes.left_out(f"{where} spec.replicas", "the autoscaler sets it")
        return None
    if given is None:
        notes.guessed("spec.replicas", "1, as the source says nothing; with 2 or more a node can be drained without a gap")
        return 1
    return int(given) if isinstance(given, int) else None


def _release(spec: Mapping[str, Any], notes: Notes, where: str) -> dict[str, Any]:
    """What a Deployment and a Rollout both say of it."""
    found: dict[str, Any] = {}
    strategy = mapping(spec.get("strategy"))
    if strategy.get("type") == "Recreate":
        found["strategy"] = "Recreate"
    elif strategy.get("rollingUpdate") or strategy.get("type") == "RollingUpdate":
        notes.changed(f"{where} spec.strategy", "release.strategy has its default: with ports, a new version is checked before it serves")
    if spec.get("progressDeadlineSeconds") not in (None, 600):
        found["progressDeadline"] = f"{spec['progressDeadlineSeconds']}s"
    limit = spec.get("revisionHistoryLimit")
    if isinstance(limit, int) and limit != 10:
        found["historyLimit"] = min(max(limit, 2), 100)
        if found["historyLimit"] != limit:
            notes.changed(f"{where} spec.revisionHistoryLimit", f"historyLimit: {found['historyLimit']}, so that there is a way back")
    if spec.get("minReadySeconds"):
        notes.left_out(f"{where} spec.minReadySeconds", "verify.afterCutover watches the new version for a while")
    if spec.get("paused"):
        notes.left_out(f"{where} spec.paused", "`hardenctl pause` pauses a release, spec.suspend all of it")
    return found
