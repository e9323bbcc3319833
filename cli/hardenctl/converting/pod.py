"""A pod's template, as the fields of a HardenedService that reach a pod."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.converting.notes import CannotConvert, Notes, items, leave, mapping, without_empty
from hardenctl.converting.objects import Objects
from hardenctl.converting.placement import scheduling
from hardenctl.converting.security import security
from hardenctl.converting.shape import known
from hardenctl.converting.volumes import volumes

_CONTAINER = (
    "name", "image", "command", "args", "env", "envFrom", "ports", "resources", "volumeMounts", "livenessProbe", "readinessProbe",
    "startupProbe", "lifecycle", "securityContext", "imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy",
)  # fmt: skip
_HELPER = (
    "name", "image", "command", "args", "env", "envFrom", "resources", "volumeMounts", "securityContext", "imagePullPolicy",
    "terminationMessagePath", "terminationMessagePolicy", "restartPolicy",
)  # fmt: skip
_POD = (
    "containers", "initContainers", "volumes", "imagePullSecrets", "securityContext", "terminationGracePeriodSeconds", "nodeSelector",
    "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName", "runtimeClassName", "schedulerName", "restartPolicy",
)  # fmt: skip
_SHARES = "pods share nothing of the node"
_WHY = {
    "dnsPolicy": "",
    "serviceAccount": "",
    "serviceAccountName": "pods have an account of their own, without rights and without a token",
    "automountServiceAccountToken": "pods get no token of the API server",
    "hostNetwork": _SHARES,
    "hostPID": _SHARES,
    "hostIPC": _SHARES,
    "nodeName": "the scheduler chooses the node; use scheduling.nodeSelector",
    "workingDir": "the program starts in the folder that the image names",
    "ports": "only the application's own ports are on the Service; pods of the same pod still reach it on localhost",
    "livenessProbe": "a helper has no probes",
    "readinessProbe": "a helper has no probes",
    "startupProbe": "a helper has no probes",
    "lifecycle": "a helper has no hooks",
}
_SLEEP = re.compile(r"(?:/bin/)?sleep (\d+)s?")


def application(template: Mapping[str, Any], preferred: str) -> Mapping[str, Any]:
    """The container of the application: of the workload's name, else the one with ports, else the first. Raises CannotConvert."""
    found = items(mapping(template.get("spec")).get("containers"))
    if not found:
        raise CannotConvert("there is no container in spec.template.spec.containers")
    named = [each for each in found if each.get("name") == preferred]
    listening = [each for each in found if each.get("ports")]
    return (named or listening or found)[0]


def pod_fields(template: Mapping[str, Any], app: Mapping[str, Any], objects: Objects, notes: Notes, where: str) -> dict[str, Any]:
    """All but the ports. app: the container of the application. where: the template, in the source."""
    pod, at = mapping(template.get("spec")), f"{where}.spec"
    others = [each for each in items(pod.get("containers")) if each is not app]
    if others:
        beside = ", ".join(str(each.get("name")) for each in others)
        notes.guessed("spec.image", f"container {app.get('name')} is the application; {beside} run beside it as sidecars")
    starting = items(pod.get("initContainers"))
    inits = [each for each in starting if each.get("restartPolicy") != "Always"]
    sidecars = [*(each for each in starting if each.get("restartPolicy") == "Always"), *others]
    leave(notes, at, pod, _POD, _WHY)
    leave(notes, f"{at}.containers[{app.get('name')}]", app, _CONTAINER, _WHY)
    _leave_metadata(template, notes, where)
    mounted = volumes(pod, app, [*inits, *sidecars], objects, notes, at)
    kept = {each["name"] for each in mounted.volumes}
    return {
        **container_fields(app, notes, f"{at}.containers[{app.get('name')}]"),
        "files": mounted.files,
        "volumes": mounted.volumes,
        "initContainers": [_helper(each, kept, notes, at) for each in inits],
        "sidecars": [_helper(each, kept, notes, at) for each in sidecars],
        "imagePullSecrets": known(notes, f"{at}.imagePullSecrets", "imagePullSecrets", list(items(pod.get("imagePullSecrets")))),
        "probes": _probes(app, notes, f"{at}.containers[{app.get('name')}]"),
        "shutdown": _shutdown(pod, app, notes, at),
        "security": security(pod, app, mounted.writable, notes, at),
        "scheduling": scheduling(template, notes, at),
    }


def container_fields(container: Mapping[str, Any], notes: Notes, where: str) -> dict[str, Any]:
    """What an application and a helper say alike. Raises CannotConvert where the image is none that is fixed."""
    found = {"image": str(container.get("image") or "")}
    for field in ("command", "args", "envFrom", "resources"):
        if container.get(field):
            found[field] = known(notes, f"{where}.{field}", field, container[field])
    found["env"] = _environment(known(notes, f"{where}.env", "env", list(items(container.get("env")))), notes, f"{where}.env")  # type: ignore[assignment]
    return found


def _environment(given: Sequence[Mapping[str, Any]], notes: Notes, where: str) -> list[dict[str, Any]]:
    """The last of each name, as in a pod."""
    found: dict[Any, dict[str, Any]] = {}
    for each in given:
        if each.get("name") in found:
            notes.changed(f"{where}[{each.get('name')}]", "it is there twice: the last one counts, as in the pod")
        value = each.get("value")
        found[each.get("name")] = {**each, **({"value": str(value)} if isinstance(value, int | float) else {})}
    return list(found.values())


def _helper(container: Mapping[str, Any], kept: set[str], notes: Notes, at: str) -> dict[str, Any]:
    where = f"{at}.containers[{container.get('name')}]"
    leave(notes, where, container, _HELPER, _WHY)
    context = mapping(container.get("securityContext"))
    if context.get("privileged") or context.get("runAsUser") == 0 or mapping(context.get("capabilities")).get("add"):
        notes.left_out(f"{where}.securityContext", "a helper runs under the same restrictions as the application")
    mounts = [each for each in items(container.get("volumeMounts")) if each.get("name") in kept]
    return without_empty({
        "name": container.get("name"),
        **container_fields(container, notes, where),
        "volumeMounts": known(notes, f"{where}.volumeMounts", "sidecars.volumeMounts", mounts),
    })  # fmt: skip


def _probes(app: Mapping[str, Any], notes: Notes, where: str) -> dict[str, Any]:
    found = {}
    for name in ("readiness", "liveness", "startup"):
        given = app.get(f"{name}Probe")
        if not isinstance(given, Mapping):
            continue
        probe = known(notes, f"{where}.{name}Probe", f"probes.{name}", given)
        period, timeout = probe.get("periodSeconds") or 10, probe.get("timeoutSeconds") or 1
        if timeout > period:
            probe["periodSeconds"] = timeout
            notes.changed(f"{where}.{name}Probe.periodSeconds", f"{timeout} s, not {period}: a probe does not overtake itself")
        found[name] = probe
    if "readiness" not in found and app.get("ports"):
        text = "a TCP connection to the main port, as there is no readinessProbe; a path that tells whether it can serve is better"
        notes.guessed("spec.probes.readiness", text)
    return found


def _shutdown(pod: Mapping[str, Any], app: Mapping[str, Any], notes: Notes, at: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    grace, lifecycle = pod.get("terminationGracePeriodSeconds"), mapping(app.get("lifecycle"))
    where = f"{at}.containers[{app.get('name')}].lifecycle"
    if lifecycle.get("postStart"):
        notes.left_out(f"{where}.postStart", "do it in the program, or in an init container")
    seconds = _slept(mapping(lifecycle.get("preStop")))
    if lifecycle.get("preStop") and seconds is None:
        notes.left_out(f"{where}.preStop", "shutdown.drainSeconds waits before SIGTERM; the program should end in order on SIGTERM itself")
    if seconds is not None:
        found["drainSeconds"] = seconds
        notes.changed(f"{where}.preStop", f"shutdown.drainSeconds: {seconds}; it needs no shell in the image")
    drain = found.get("drainSeconds", 5)
    if isinstance(grace, int) and grace != 30:
        found["graceSeconds"] = grace
    if drain >= found.get("graceSeconds", 30):
        found["graceSeconds"] = drain + 10
        notes.changed(f"{at}.terminationGracePeriodSeconds", f"{drain + 10}: {drain} s of it are spent before SIGTERM")
    return found


def _slept(hook: Mapping[str, Any]) -> int | None:
    """The seconds of a hook that does nothing but sleep."""
    seconds = mapping(hook.get("sleep")).get("seconds")
    if isinstance(seconds, int):
        return seconds
    command = mapping(hook.get("exec")).get("command")
    text = " ".join(str(each) for each in command) if isinstance(command, list) else ""
    found = _SLEEP.fullmatch(re.sub(r"^(/bin/)?(ba|a)?sh -c ", "", text).strip())
    return int(found[1]) if found else None


def _leave_metadata(template: Mapping[str, Any], notes: Notes, where: str) -> None:
    meta = mapping(template.get("metadata"))
    if meta.get("labels"):
        text = "pods get labels of the operator's: what selects pods by these, such as a NetworkPolicy, has to be changed"
        notes.left_out(f"{where}.metadata.labels", text)
    if meta.get("annotations"):
        text = "podMetadata.annotations takes the keys that the operator's settings allow; metrics and files have fields of their own"
        notes.left_out(f"{where}.metadata.annotations", text)
