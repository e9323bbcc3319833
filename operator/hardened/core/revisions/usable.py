"""Whether a stored revision may be run: who may write ControllerRevisions is not to get pods that no HardenedService can ask for.

A template is taken that this renderer makes of the stored fields, or that another one of ours can have made of them: that passes the pod
standard, has no field that none of ours had, and names nothing that the fields do not name.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hardened.api import names
from hardened.api.parse import HardenedService, parse_spec
from hardened.api.service import HardenedServiceSpec
from hardened.core.desired.template import pod_template
from hardened.core.model.manifest import Manifest
from hardened.core.revisions.pod_standard import EITHER, RESTRICTED, Control, containers, violations
from hardened.core.revisions.revision import stored
from hardened.errors import InvalidSpec

#: What renderers may set of a pod. All else is unknown: that somebody else set it is certain.
_POD_FIELDS = frozenset({
    "serviceAccountName", "automountServiceAccountToken", "enableServiceLinks", "terminationGracePeriodSeconds", "securityContext",
    "imagePullSecrets", "initContainers", "containers", "volumes", "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints",
    "priorityClassName", "runtimeClassName", "restartPolicy", "dnsPolicy", "hostname",
})  # fmt: skip
_CONTAINER_FIELDS = frozenset({
    "name", "image", "imagePullPolicy", "command", "args", "env", "envFrom", "resources", "securityContext", "volumeMounts", "ports",
    "readinessProbe", "livenessProbe", "startupProbe", "lifecycle", "restartPolicy", "terminationMessagePath", "terminationMessagePolicy",
})  # fmt: skip
_VOLUMES = frozenset({"name", "configMap", "emptyDir", "persistentVolumeClaim", "secret"})
#: What a template must have from the fields, and from nowhere else.
_FROM_FIELDS = ("imagePullSecrets", "nodeSelector", "runtimeClassName")
#: What the pod standard judges of a security context. All else that one says, such as a user, is to come from the fields.
_OF_THE_STANDARD = frozenset({
    "allowPrivilegeEscalation", "capabilities", "fsGroupChangePolicy", "privileged", "readOnlyRootFilesystem", "runAsNonRoot",
    "seccompProfile",
})  # fmt: skip
_NODE_CONDITION = "node.kubernetes.io/"
#: What the API server adds to references, and drops of variables.
_FILLED_IN = (("apiVersion", "v1"), ("divisor", "0"), ("value", ""))
_OF_CONTAINER_FROM_FIELDS = ("image", "command", "args", "env", "envFrom", "restartPolicy")


#: Verdicts that are remembered, by what was judged: at 1,000 services, those of the revisions that they run. About 200 bytes each.
_REMEMBERED: Final = 4096
_judged: OrderedDict[tuple[str, bytes], str] = OrderedDict()


def problem(service: str, live: Mapping[str, Any]) -> str:
    """Why what a ControllerRevision of this service holds is not to be used, as in `its template sets hostPID`; "" where it may be."""
    # To render a revision takes half a millisecond, and each look at a service asks for all of them.
    key = service, hashlib.sha256(repr((live["metadata"]["name"], live.get("data"))).encode("utf-8", "surrogatepass")).digest()
    if key not in _judged:
        _judged[key] = _problem(service, live)
        if len(_judged) > _REMEMBERED:
            _judged.popitem(last=False)
    return _judged[key]


def _problem(service: str, live: Mapping[str, Any]) -> str:
    found = stored(live)
    if found is None:
        return "its data is not that of a revision of this name"
    if live["metadata"]["name"] != names.child_name(service, found.name):
        return "its name is not one that the operator gives"
    try:
        spec = parse_spec(found.fields)
    except InvalidSpec as error:
        return f"this version does not accept its fields: {error}"
    return template_problem(service, found.name, spec, found.template)


def template_problem(service: str, revision: str, spec: HardenedServiceSpec | None, template: Manifest) -> str:
    """Why no renderer can have made a template of this revision, or "". spec: its fields, None where nobody knows them."""
    if spec is None:
        return next(_escapes(service, template, EITHER), "")
    made = pod_template(HardenedService(service, "", "", 0, spec), revision)
    if template == made:
        return ""
    controls = RESTRICTED if spec.security.profile == "restricted" else EITHER
    return next(_escapes(service, template, controls), "") or next(_foreign(made, template), "")


def _escapes(service: str, template: Manifest, controls: tuple[Control, ...]) -> Iterator[str]:
    """What no template of ours says, whatever the fields are. What is of another form than a pod template has is no template."""
    try:
        yield from _found_escapes(service, template, controls)
    except (AttributeError, KeyError, TypeError, IndexError):
        yield "its template is not a pod's"


def _found_escapes(service: str, template: Manifest, controls: tuple[Control, ...]) -> Iterator[str]:
    pod = template["spec"]
    yield from (f"its template sets {name}" for name in sorted({*pod} - _POD_FIELDS))
    yield from (f"its template has {name}" for name in sorted({*template} - {"metadata", "spec"}))
    yield from (f"its template has metadata.{name}" for name in sorted({*template["metadata"]} - {"labels", "annotations"}))
    for container in containers(pod):
        yield from (f"container {container['name']} sets {name}" for name in sorted({*container} - _CONTAINER_FIELDS))
        if container["securityContext"].get("readOnlyRootFilesystem") is not True:
            yield f"container {container['name']} may write its root filesystem"
    for volume in pod.get("volumes") or ():
        yield from (f"volume {volume['name']} is a {name}" for name in sorted({*volume} - _VOLUMES))
    if pod.get("serviceAccountName") != service:
        yield f"its template runs as service account {pod.get('serviceAccountName', 'default')}"
    if pod.get("automountServiceAccountToken") is not False:
        yield "its template mounts a service account token"
    if any(not each.get("key") for each in pod.get("tolerations") or ()):
        yield "its template tolerates every taint"
    yield from violations(template, controls)


def _foreign(made: Manifest, template: Manifest) -> Iterator[str]:
    """What a template names that its fields do not name. made: what this renderer makes of them."""
    try:
        yield from _found_foreign(made, template)
    except (AttributeError, KeyError, TypeError):
        yield "its template is not a pod's"


def _found_foreign(made: Manifest, template: Manifest) -> Iterator[str]:
    for kind in ("labels", "annotations"):
        known, named = made["metadata"].get(kind) or {}, template["metadata"].get(kind) or {}
        yield from (f"its template has {kind[:-1]} {key}, which its fields do not have" for key in named if named[key] != known.get(key))
    pod, mine = template["spec"], made["spec"]
    yield from (f"its template has another {name} than its fields" for name in _FROM_FIELDS if _differ(pod.get(name), mine.get(name)))
    if str(pod.get("priorityClassName", "")).startswith("system-") and pod["priorityClassName"] != mine.get("priorityClassName"):
        yield f"its template has priority class {pod['priorityClassName']}, which its fields do not have"
    if _differ((pod.get("affinity") or {}).get("nodeAffinity"), (mine.get("affinity") or {}).get("nodeAffinity")):
        yield "its template has another nodeAffinity than its fields"
    yield from (f"its template has another {name} than its fields" for name in _others_of_security(pod, mine))
    for each in pod.get("tolerations") or ():
        if not each["key"].startswith(_NODE_CONDITION) and each not in mine["tolerations"]:
            yield f"its template tolerates {each['key']}, which its fields do not"
    volumes = {volume["name"]: volume for volume in mine.get("volumes") or ()}
    for volume in pod.get("volumes") or ():
        if "emptyDir" not in volume and _differ(volume, volumes.get(volume["name"])):
            yield f"volume {volume['name']} is not in its fields"
    for kind in ("initContainers", "containers"):
        yield from _foreign_containers(kind, mine.get(kind) or (), pod.get(kind) or ())


def _foreign_containers(kind: str, wanted: Sequence[Manifest], found: Sequence[Manifest]) -> Iterator[str]:
    if [each["name"] for each in found] != [each["name"] for each in wanted]:
        yield f"its template has other {kind} than its fields"
    else:
        for container, ours in zip(found, wanted, strict=True):
            others = [name for name in _OF_CONTAINER_FROM_FIELDS if _differ(container.get(name), ours.get(name))]
            others += _others_of_security(container, ours)
            yield from (f"container {ours['name']} has another {name} than its fields" for name in others)
            if any(command not in _commands(ours) for command in _commands(container)):
                yield f"container {ours['name']} has a probe or hook with a command that its fields do not have"


def _others_of_security(found: Manifest, ours: Manifest) -> list[str]:
    """What the security context of a pod, or of a container, says beyond its fields."""
    context, known = found.get("securityContext") or {}, ours.get("securityContext") or {}
    added, mine = (set((each.get("capabilities") or {}).get("add") or ()) for each in (context, known))
    others = [name for name in sorted({*context} - _OF_THE_STANDARD) if _differ(context[name], known.get(name))]
    return [*others, *(f"capability {name}" for name in sorted(added - mine))]


def _commands(container: Manifest) -> list[Any]:
    """What its probes and hooks run in it."""
    hooks = container.get("lifecycle") or {}
    handlers = [*(container.get(f"{kind}Probe") for kind in ("readiness", "liveness", "startup")), *hooks.values()]
    return [handler["exec"] for handler in handlers if handler and "exec" in handler]


def _differ(one: Any, other: Any) -> bool:
    """Whether two parts say different things, whatever the API server leaves out or fills in."""
    return bool(_plain(one) != _plain(other))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        known = {name: _plain(each) for name, each in value.items() if (name, each) not in _FILLED_IN}
        return {name: each for name, each in known.items() if each not in (None, [], {})}
    return [_plain(each) for each in value] if isinstance(value, list) else value
