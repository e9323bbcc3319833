"""An Argo Rollout, with what is around it in the same file: its analyses become checks, where they can be said."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hardenctl.converting.notes import CannotConvert, Converted, Notes, items, leave, mapping, without_empty
from hardenctl.converting.objects import Objects, called, name_of
from hardenctl.converting.workload import Workload, converted

KIND = "Rollout"
_BLUE_GREEN = (
    "activeService", "previewService", "autoPromotionEnabled", "autoPromotionSeconds", "scaleDownDelaySeconds", "previewReplicaCount",
    "prePromotionAnalysis", "postPromotionAnalysis",
)  # fmt: skip
_CANARY = ("steps", "stableService", "canaryService", "maxSurge", "maxUnavailable", "analysis", "trafficRouting")
_WHY = {
    "antiAffinity": "pods are spread over nodes and zones",
    "scaleDownDelayRevisionLimit": "one previous version is kept, at full size",
    "previewMetadata": "pods say their colour by the label hardened.dev/color",
    "activeMetadata": "pods say their colour by the label hardened.dev/color",
    "abortScaleDownDelaySeconds": "what failed is scaled down at once, after its last reason and logs were kept",
}
#: How long a check by a program may take where nobody says it.
_JOB_SECONDS = 300
_BOUND = re.compile(r"\s*(?:result\[0\]|result)\s*(<=?|>=?)\s*([0-9.]+)\s*")


def services_of(objects: Objects, images: Mapping[str, str]) -> list[Converted]:
    """One service for each Rollout. Raises CannotConvert."""
    return [_converted(each, objects, images) for each in objects.of(KIND)]


def _converted(rollout: Mapping[str, Any], objects: Objects, images: Mapping[str, str]) -> Converted:
    notes, spec = Notes(), mapping(rollout.get("spec"))
    where, strategy = called(rollout), mapping(spec.get("strategy"))
    deadline = spec.get("progressDeadlineSeconds")
    before: list[dict[str, Any]] = []
    after: list[dict[str, Any]] = []
    if strategy.get("blueGreen") is not None:
        given = mapping(strategy["blueGreen"])
        release = _blue_green(given, notes, f"{where} spec.strategy.blueGreen")
        services = (given.get("activeService"), given.get("previewService"))
        before = list(_checks(mapping(given.get("prePromotionAnalysis")), objects, notes, is_before=True))
        after = list(_checks(mapping(given.get("postPromotionAnalysis")), objects, notes, is_before=False))
    else:
        given = mapping(strategy.get("canary"))
        release = _canary(given, notes, f"{where} spec.strategy.canary")
        services = (given.get("stableService"), given.get("canaryService"))
        after = list(_checks(mapping(given.get("analysis")), objects, notes, is_before=False))
    if isinstance(deadline, int) and deadline <= _JOB_SECONDS:
        for check in before:
            check["job"]["deadline"] = f"{max(deadline // 2, 1)}s"
            notes.guessed(f"spec.verify.beforeCutover[{check['name']}].job.deadline", "half of the release's own deadline")
    verify = {"beforeCutover": before, "afterCutover": {"checks": after} if after else {}}
    named = tuple(str(each) for each in services if each)
    workload = Workload(rollout, _template(spec, objects, where), release, without_empty(verify), named)
    return converted(workload, objects, images, notes)


def _template(spec: Mapping[str, Any], objects: Objects, where: str) -> Mapping[str, Any]:
    """Its own, else that of the Deployment that it refers to. Raises CannotConvert."""
    reference = mapping(spec.get("workloadRef"))
    if not reference:
        return mapping(spec.get("template"))
    found = objects.named(str(reference.get("kind")), reference.get("name"))
    if found is None:
        raise CannotConvert(
            f"{where} refers to {reference.get('kind')} {reference.get('name')}, which is not in the file", "add it to the file"
        )
    return mapping(mapping(found.get("spec")).get("template"))


def _blue_green(given: Mapping[str, Any], notes: Notes, where: str) -> dict[str, Any]:
    leave(notes, where, given, _BLUE_GREEN, _WHY)
    found: dict[str, Any] = {"strategy": "BlueGreen"}
    if given.get("autoPromotionEnabled") is False:
        found["promotion"] = "Manual"
        if given.get("autoPromotionSeconds"):
            found["autoPromoteAfter"] = f"{given['autoPromotionSeconds']}s"
    elif given.get("autoPromotionSeconds"):
        notes.left_out(f"{where}.autoPromotionSeconds", "a new version is promoted once its checks have passed")
    if given.get("previewReplicaCount"):
        found["preview"] = {"replicas": given["previewReplicaCount"]}
    else:
        notes.changed(f"{where}.previewReplicaCount", "1 pod while it is checked; it has its full size before the cutover")
    delay = given.get("scaleDownDelaySeconds")
    if isinstance(delay, int):
        found["keepPrevious"] = f"{max(delay, 30)}s"
        if delay < 30:
            notes.changed(f"{where}.scaleDownDelaySeconds", "30 s, the least that connections need to move on")
    if given.get("previewService"):
        notes.changed(f"{where}.previewService", "the operator makes a preview Service of its own, NAME-preview")
    return found


def _canary(given: Mapping[str, Any], notes: Notes, where: str) -> dict[str, Any]:
    leave(notes, where, given, _CANARY, _WHY)
    notes.changed(where, "BlueGreen: a new version gets checks before it gets requests, and then all of them; there are no weights")
    steps = items(given.get("steps"))
    for at, step in enumerate(steps):
        kind = next(iter(step), "")
        if kind != "pause":
            notes.left_out(f"{where}.steps[{at}].{kind}", "there are no steps by weight")
    if given.get("trafficRouting"):
        notes.left_out(f"{where}.trafficRouting", "the Service switches; an Ingress or a mesh leads to that Service as before")
    if any("pause" in step and not mapping(step.get("pause")).get("duration") for step in steps):
        notes.guessed("spec.release.promotion", "Manual, as a pause of the Rollout waits for somebody")
        return {"strategy": "BlueGreen", "promotion": "Manual"}
    waited = [mapping(step["pause"]).get("duration") for step in steps if "pause" in step]
    if waited:
        notes.left_out(f"{where}.steps[].pause", f"{', '.join(map(str, waited))}: verify.afterCutover.window watches the new version")
    return {"strategy": "BlueGreen"}


def _checks(analysis: Mapping[str, Any], objects: Objects, notes: Notes, *, is_before: bool) -> Iterator[dict[str, Any]]:
    for named in items(analysis.get("templates")):
        template = objects.named("AnalysisTemplate", named.get("templateName"))
        if template is None:
            text = "it is not in the file: say it in verify"
            notes.left_out(f"AnalysisTemplate {named.get('templateName')}", text)
            continue
        arguments = {each.get("name"): each.get("value") for each in items(mapping(template.get("spec")).get("args"))}
        arguments |= {each.get("name"): each["value"] for each in items(analysis.get("args")) if each.get("value") is not None}
        for metric in items(mapping(template.get("spec")).get("metrics")):
            check = _check(metric, arguments, is_before=is_before)
            where = f"AnalysisTemplate {name_of(template)} spec.metrics[{metric.get('name')}]"
            if check is None:
                notes.left_out(where, "it cannot be said as a check: see verify for those that there are")
            else:
                notes.changed(where, f"check {metric.get('name')} in verify.{'beforeCutover' if is_before else 'afterCutover'}")
                yield check


def _check(metric: Mapping[str, Any], arguments: Mapping[Any, Any], *, is_before: bool) -> dict[str, Any] | None:
    provider, name = mapping(metric.get("provider")), str(metric.get("name"))
    query = mapping(provider.get("prometheus")).get("query")
    if query and not is_before:
        bound = _bound(str(metric.get("successCondition") or ""))
        text = _filled(str(query), arguments)
        return {"name": name, "prometheus": {"query": text, **bound}} if bound and "{{" not in text else None
    job = mapping(mapping(mapping(mapping(provider.get("job")).get("spec")).get("template")).get("spec"))
    containers = items(job.get("containers"))
    if is_before and len(containers) == 1 and containers[0].get("command"):
        only = containers[0]
        command = [_filled(str(each), arguments) for each in [*only["command"], *(only.get("args") or ())]]
        return {"name": name, "job": without_empty({"image": only.get("image"), "command": command})}
    return None


def _filled(text: str, arguments: Mapping[Any, Any]) -> str:
    for name, value in arguments.items():
        if value is not None:
            text = re.sub(r"\{\{\s*args\." + re.escape(str(name)) + r"\s*\}\}", lambda _, value=value: str(value), text)  # type: ignore[misc]
    return text.strip()


def _bound(condition: str) -> dict[str, float]:
    """Example: "result[0] >= 0.95" -> {"min": 0.95}; {} for what is no bound of one number."""
    found = _BOUND.fullmatch(condition)
    if not found:
        return {}
    return {"max" if found[1].startswith("<") else "min": float(found[2])}
