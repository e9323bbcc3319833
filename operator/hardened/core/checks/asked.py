"""Whether a pod that is there is the one that was asked for: whoever may make pods can put another one in its place."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hardened.core.model.manifest import Manifest
from hardened.core.observe.compare import difference
from hardened.core.observe.observed import Made
from hardened.core.observe.task_pods import own_container

#: What others may set of such a pod: where it runs, and what runs beside it. None of it reaches our container.
_FREE = frozenset({
    "activeDeadlineSeconds", "affinity", "containers", "hostUsers", "imagePullSecrets", "initContainers", "nodeName", "nodeSelector", "os",
    "overhead", "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "resources", "runtimeClassName", "schedulerName",
    "schedulingGates", "securityContext", "serviceAccount", "tolerations", "topologySpreadConstraints", "volumes",
})  # fmt: skip
_FREE_OF_CONTAINER = frozenset({"imagePullPolicy", "resizePolicy", "resources", "securityContext"})
#: What the API server fills in, where nothing is asked for.
_DEFAULTS = {"serviceAccountName": "default", "dnsPolicy": "ClusterFirst", "restartPolicy": "Always"}
_DEFAULTS_OF_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
#: The variable that tells a verifier what to do.
TASK = "HARDENED_TASK"
#: What is said otherwise in another step of the same release.
_TIMES = ("waitSeconds", "durationSeconds")


def strangeness(asked: Manifest, live: Mapping[str, Any], made: Made | None) -> str:
    """Why a live pod is not the one that was asked for, as in `its command differs from what the operator asked for`; "" where it is.

    asked: as it would be made now; made: what is known of the one that was made, None where nobody knows. Of a pod that is known only what
    can be changed of it is compared: what an admission webhook has made of it stands.
    """
    return next(_strange(asked, live, made), "")


def purpose_strangeness(asked: Manifest, live: Mapping[str, Any], made: Made | None) -> str:
    """As `strangeness`, of a pod that is never made anew: an older version may have asked for it otherwise, but for what it is to do.

    Where nobody knows what admission made of its image, that may come by way of a mirror, and may be pinned to its digest.
    """
    if made is not None:
        return strangeness(asked, live, made)
    wanted, own = own_container(asked), own_container(live)
    others = [] if _may_be_image(wanted.get("image", ""), own.get("image", "")) else ["image"]
    others += [name for name in ("command", "args") if (wanted.get(name) or None) != (own.get(name) or None)]
    account = (live.get("spec") or {}).get("serviceAccountName", _DEFAULTS["serviceAccountName"])
    others += ["serviceAccountName"] if account != asked["spec"].get("serviceAccountName", _DEFAULTS["serviceAccountName"]) else []
    return f"its {others[0]} differs from what the operator asked for" if others else ""


def _may_be_image(asked: str, live: str) -> bool:
    """Examples: ("acme.io/shop:1", "mirror.io/acme.io/shop:1") and ("shop:1", "shop:1@sha256:…") -> True; ("shop:1", "shop:2") -> False."""
    host, _, rest = asked.partition("/")
    path = rest if rest and ("." in host or ":" in host or host == "localhost") else asked
    return any(found == asked or found.endswith(f"/{path}") for found in (live, live.partition("@")[0]))


def _strange(asked: Manifest, live: Mapping[str, Any], made: Made | None) -> Iterator[str]:
    pod, own = live.get("spec") or {}, own_container(live)
    if pod.get("ephemeralContainers"):
        yield "somebody added an ephemeral container"
    yield from _strange_to(asked, pod, own) if made is None else _replaced(live, own, made)


def _replaced(live: Mapping[str, Any], own: Manifest, made: Made) -> Iterator[str]:
    """How a pod that this process made is another one by now."""
    if live["metadata"].get("uid") != made.uid:
        yield "it was replaced"
    if own.get("image") != made.image:
        yield "its image was changed"


def _strange_to(asked: Manifest, pod: Manifest, own: Manifest) -> Iterator[str]:
    """How a pod differs, field by field, from the one that was asked for."""
    wanted = asked["spec"]
    for name in sorted({*pod, *wanted} - _FREE - {"ephemeralContainers"}):
        if not _is_harmless(name, pod.get(name)) and pod.get(name) != wanted.get(name, _DEFAULTS.get(name)):
            yield f"its {name} differs from what the operator asked for"
    for name in ("securityContext", "volumes"):
        if wanted.get(name) and difference({name: wanted[name]}, {name: pod.get(name)}):
            yield f"its {name} differs from what the operator asked for"
    for name, ours, theirs in _of_container(own_container(asked), own):
        if ours != theirs:
            yield f"its container's {name} differs from what the operator asked for"


def _is_harmless(name: str, value: Any) -> bool:
    """How often a name is asked for in vain, and not who is asked."""
    return name == "dnsConfig" and isinstance(value, Mapping) and value.keys() <= {"options"}


def _of_container(asked: Manifest, live: Manifest) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*asked, *live} - _FREE_OF_CONTAINER):
        default = _DEFAULTS_OF_CONTAINER.get(name)
        if name == "env":
            yield name, _environment(asked), _environment(live)
        else:
            yield name, asked.get(name, default) or None, live.get(name, default) or None
    is_weaker = difference(asked.get("securityContext") or {}, live.get("securityContext") or {})
    yield "securityContext", None, is_weaker


def _environment(container: Manifest) -> dict[str, Any]:
    return {each["name"]: _variable(each) for each in container.get("env") or ()}


def _variable(entry: Mapping[str, Any]) -> Any:
    source = entry.get("valueFrom")
    if source:
        # The API server fills in the version of a field reference, and the divisor of a resource's.
        return {kind: {k: v for k, v in ref.items() if k not in ("apiVersion", "divisor")} for kind, ref in source.items()}
    value = entry.get("value") or ""
    return _without_times(value) if entry["name"] == TASK else value


def _without_times(text: str) -> Any:
    try:
        task = json.loads(text)
        return {
            name: [{k: v for k, v in each.items() if k not in _TIMES} for each in part] if isinstance(part, list) else part
            for name, part in task.items()
            if name not in _TIMES
        }
    except (ValueError, AttributeError, RecursionError):
        return text
