"""Says why pods are not there, from the Deployment and its pods."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hardened.api import names
from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.observe.failing_probes import by_liveness, describing, failing_probe, in_namespace
from hardened.core.observe.presence import is_deleting, is_ready, may_run
from hardened.core.observe.rollout import instant
from hardened.errors import ApiFailure, TryAgain

#: The one thing that is written of a claim; its data goes with it, so that nobody but a person deletes one.
_OF_CLAIM = re.compile(r"apply PersistentVolumeClaim (\S+)")
_OF_DEPLOYMENT = re.compile(r"apply Deployment (\S+)")


def of_failure(doing: str, failure: ApiFailure, namespace: str = "") -> Diagnosis:
    """What a refused write means for the team. `doing` reads like `apply Deployment shop-blue`; namespace: of the service."""
    text = _CALL.sub("", failure.message)  # `doing` names the object already
    if failure.reason == "NamespaceTerminating" or "is being terminated" in text:
        return Diagnosis(Reason.NAMESPACE_TERMINATING, "the namespace is being deleted; nothing new can be created in it")
    if failure.reason == "ExceededQuota" or "exceeded quota" in text:
        return Diagnosis(Reason.QUOTA_EXCEEDED, f"{doing}: {text}; raise the ResourceQuota or free some of it")
    if failure.status == 403:
        return Diagnosis(Reason.FORBIDDEN, f"{doing}: {text}; give the operator this right, or adapt the admission policy that refused it")
    if isinstance(failure, TryAgain):
        return Diagnosis(Reason.APPLY_REFUSED, f"{doing}: {text}; check the webhook that it names, or the API server")
    if _POLICY.search(text):
        return Diagnosis(Reason.APPLY_REFUSED, f"{doing}: {text}; change what it names, or adapt the admission policy that refused it")
    if "field is immutable" in text and (deployment := _OF_DEPLOYMENT.fullmatch(doing)):
        command = f"kubectl delete deployment {deployment[1]} -n {namespace} --cascade=orphan"
        remedy = f"somebody recreated it with other immutable fields: {command}; the operator recreates it, and it adopts its pods"
        return Diagnosis(Reason.APPLY_REFUSED, f"{doing}: {text}; {remedy}", is_final=True)
    if claim := _OF_CLAIM.fullmatch(doing):
        command = f"kubectl delete pvc {claim[1]}"
        remedy = f"set spec.volumes back to what the claim has; or copy its data, which is deleted with it, and run: {command}"
        return Diagnosis(Reason.APPLY_REFUSED, f"{doing}: {text}; {remedy} -n {namespace}", is_final=True)
    return Diagnosis(Reason.APPLY_REFUSED, f"{doing}: {text}; change the field that it names", is_final=True)


def of_refused_check(pod: str, failure: ApiFailure) -> Diagnosis:
    """Why a pod of a check cannot be made, by the API server. None of that is final: it is tried again."""
    return of_refused_pod(f"check pod {pod}", failure)


def of_refused_pod(who: str, failure: ApiFailure) -> Diagnosis:
    """The same of any pod that the operator has made, or has the Job controller make."""
    known = of_failure("", failure)
    if known.reason is Reason.NAMESPACE_TERMINATING:
        return known
    text = f"{who} cannot be created: {_CALL.sub('', failure.message)}"
    if "violates PodSecurity" in failure.message:
        return Diagnosis(Reason.POD_SECURITY, f"{text}; let the namespace's pod security level allow such pods")
    return _refused(text)


def forged_revision(namespace: str, name: str, why: str) -> Diagnosis:
    """That a stored revision is not to be used. why: see revisions.usable."""
    text = f"ControllerRevision {name} is not as the operator stores it: {why}; nothing of it is used"
    text = f"{text}; find out who changed it, then run: kubectl delete controllerrevision {name} -n {namespace}"
    return Diagnosis(Reason.REVISION_FORGED, text, is_final=True)


def of_deployment(live: Mapping[str, Any]) -> Diagnosis | None:
    """What the Deployment itself says: its pods are refused, or its deadline has passed."""
    for condition in (live.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return _refused_pods(str(condition.get("message", "")))
    return None


def of_room(live: Mapping[str, Any], pods: Iterable[Manifest]) -> Diagnosis | None:
    """Why the cluster has no room for a Deployment's pods: a quota is full, or no node takes them. None where a pod shows another fault."""
    pods = tuple(pod for pod in pods if may_run(pod))
    shown = [finding for finding in _of_present(pods) if not finding.believed_after]
    # Between two crashes a container runs, and may be ready for a moment.
    if any(map(_has_restarted, pods)) or any(finding.reason is not Reason.UNSCHEDULABLE for finding in shown):
        return None
    if any(map(_lacks_claim, pods)):
        return None  # no node that is added could take it
    refused = of_deployment(live)
    if refused:
        return refused if refused.reason is Reason.QUOTA_EXCEEDED else None
    return next(iter(shown), None)


def has_passed_its_deadline(live: Mapping[str, Any]) -> bool:
    """True once the Deployment has given up progressing."""
    conditions = (live.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Progressing" and c.get("reason") == "ProgressDeadlineExceeded" for c in conditions)


def _has_restarted(pod: Manifest) -> bool:
    return any(container.get("restartCount") for container in (pod.get("status") or {}).get("containerStatuses") or ())


def _lacks_claim(pod: Manifest) -> bool:
    return any(_CLAIM.search(str(c.get("message", ""))) for c in _unscheduled(pod.get("status") or {}))


def _unscheduled(status: Manifest) -> list[Manifest]:
    found = status.get("conditions") or ()
    return [c for c in found if c.get("type") == "PodScheduled" and c.get("reason") == "Unschedulable"]


def _refused_pods(text: str) -> Diagnosis:
    if "violates PodSecurity" in text:
        return Diagnosis(Reason.POD_SECURITY, f"{text}; use security.profile restricted, or another namespace", is_final=True)
    return _refused(text)


def _refused(text: str) -> Diagnosis:
    """Of pods of any kind. text: what the API server said, and of which pod."""
    if "exceeded quota" in text:
        return Diagnosis(Reason.QUOTA_EXCEEDED, f"{text}; raise the ResourceQuota or free some of it")
    if _LIMIT_RANGE.search(text):
        return Diagnosis(Reason.PODS_REFUSED, f"{text}; this is a LimitRange of the namespace: let it allow what the pod declares")
    if _CLASS.search(text):
        return Diagnosis(Reason.PODS_REFUSED, f"{text}; create that class, or correct its name in the spec")
    return Diagnosis(Reason.PODS_REFUSED, f"{text}; change what it names, such as a policy or an admission webhook")


def of_pods(pods: Iterable[Manifest]) -> Diagnosis | None:
    """The first cause that any pod shows, the most telling kind first; of one kind, that of the oldest pod where its age matters."""
    return min(_of_present(pods), key=lambda f: (_RANK.index(f.reason), f.since or _AT_ALL_TIMES), default=None)


def of_ends(pods: Iterable[Manifest]) -> Diagnosis | None:
    """How a container has ended before, also where it runs again, and is ready for the moment: what flaps shows it by turns."""
    for pod in pods:
        status = pod.get("status") or {}
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            if last := _last_end(container) or (container.get("state") or {}).get("terminated"):
                return _crashed(pod, container, last)
    return None


def _of_present(pods: Iterable[Manifest]) -> list[Diagnosis]:
    """Of pods that may run yet: one that was evicted stays listed, and its end was nobody's crash."""
    return [finding for pod in pods if may_run(pod) and not is_deleting(pod) for finding in _of_pod(pod)]


#: Goes before each time that a pod can have been made at.
_AT_ALL_TIMES = datetime.min.replace(tzinfo=UTC)
_RANK = (
    Reason.INVALID_IMAGE,
    Reason.IMAGE_PULL_FAILED,
    Reason.CONFIG_MISSING,
    Reason.CRASH_LOOPING,
    Reason.UNSCHEDULABLE,
    Reason.NOT_READY,
)
#: What pods, and their Deployment, show.
OF_PODS = frozenset({*_RANK, Reason.PODS_REFUSED, Reason.POD_SECURITY})
_WAITING: dict[str, tuple[Reason, str, bool]] = {
    "InvalidImageName": (Reason.INVALID_IMAGE, "write the image as registry/name:tag", True),
    "ErrImagePull": (Reason.IMAGE_PULL_FAILED, "{pulls}", False),
    "ImagePullBackOff": (Reason.IMAGE_PULL_FAILED, "{pulls}", False),
    "ErrImageNeverPull": (Reason.IMAGE_PULL_FAILED, "load the image onto the nodes", False),
    "CreateContainerConfigError": (Reason.CONFIG_MISSING, "create what it names in this namespace", False),
    "CreateContainerError": (Reason.CRASH_LOOPING, "check command and volumes", False),
    "RunContainerError": (Reason.CRASH_LOOPING, "check command and volumes", False),
    "CrashLoopBackOff": (Reason.CRASH_LOOPING, "see {logs} --previous", False),
}
#: The words of Go's crypto/x509 and net for a registry that could not be asked, and what to do then. The first that is found counts.
_PULLS = (
    (re.compile(r"x509: "), "let the nodes trust the certificate of the registry"),
    (
        re.compile(r"dial tcp|no such host|i/o timeout|connection refused|network is unreachable|TLS handshake timeout"),
        "the node cannot reach the registry: check the registry's name in the image, and the way there from the node",
    ),
)
#: Which call it was, before what the server said.
_CALL = re.compile(r"^(?:apply|create|delete|patch|scale|update) [a-z]+ \S+: ")
#: The words of the API server for a policy that is an object of the cluster, and for a webhook, whatever status they answer with.
_POLICY = re.compile(r"ValidatingAdmissionPolicy .* denied request|admission webhook .* denied the request")
#: The words of the LimitRanger (plugin/pkg/admission/limitranger): it does not name its object.
_LIMIT_RANGE = re.compile(r"(maximum|minimum) \S+ usage per |max limit to request ratio per ")
#: The words of the admission plugins Priority and RuntimeClass for a name that there is none of.
_CLASS = re.compile(r"no PriorityClass with name|RuntimeClass \S+ not found")
#: The words of the scheduler for a claim that is not there, or that has no volume (pkg/scheduler/framework/plugins/volumebinding).
_CLAIM = re.compile(
    r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \S+ (not found|is being deleted)"
    r"|bound to non-existent persistentvolume"
)
#: And for nodes that the pod does not want, or that do not want it (plugins/nodeaffinity, plugins/tainttoleration).
_PLACE = re.compile(r"didn't match Pod's node affinity/selector|had untolerated taint")
#: The fields of a volume that name another object, its kind, and where the name is.
_MOUNTED = (("secret", "Secret", "secretName"), ("configMap", "ConfigMap", "name"), ("persistentVolumeClaim", "claim", "claimName"))
_ROOT = re.compile(r"run as root|runAsNonRoot|non-numeric user")
#: The reasons of a container that never ran: its message is the runtime's, and not the application's own.
NEVER_RAN = frozenset({"StartError", "ContainerCannotRun"})


def _of_pod(pod: Manifest) -> list[Diagnosis]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    found: list[Diagnosis] = []
    inits, containers = status.get("initContainerStatuses") or (), status.get("containerStatuses") or ()
    for container in (*inits, *containers):
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        known = _WAITING.get(waiting.get("reason", ""))
        if known:
            found.append(_waiting(pod, container, waiting, *known))
        elif ended and (ended.get("exitCode") or container in containers):
            # Between two restarts the kubelet shows the end itself as often as CrashLoopBackOff. An init container may end well.
            found.append(_crashed(pod, container, ended))
        elif "running" in state and not container.get("ready") and (last := _last_end(container)):
            # Between two crashes it runs. One that is ready again has overcome it.
            found.append(_crashed(pod, container, last))
    for condition in _unscheduled(status):
        text = str(condition.get("message", ""))
        found.append(Diagnosis(Reason.UNSCHEDULABLE, f"pod {name}: {text}; {_room_for(text, pod)}"))
    made_at = instant(pod["metadata"].get("creationTimestamp"))
    found += _mounts(pod, status, made_at)
    return found or _unready(pod, status, made_at)


def _room_for(text: str, pod: Manifest) -> str:
    """What to do about this reply of the scheduler."""
    if _CLAIM.search(text):
        return f"create the claim, or a volume for it: kubectl describe pvc{in_namespace(pod)}"
    return "add such nodes, or change spec.scheduling" if _PLACE.search(text) else "add nodes, or request less"


def _last_end(container: Manifest) -> Manifest | None:
    """How a container ended that was started again; None where it never did."""
    ended = (container.get("lastState") or {}).get("terminated")
    return ended if container.get("restartCount") and ended else None


def _waiting(pod: Manifest, container: Manifest, waiting: Manifest, reason: Reason, remedy: str, is_final: bool) -> Diagnosis:
    # The kubelet alternates between the cause and `Back-off pulling image "…": ErrImagePull: cause`: the cause alone stays the same.
    text = str(waiting.get("message") or waiting.get("reason")).rpartition("ErrImagePull: ")[2]
    where = f"pod {pod['metadata']['name']}, container {container['name']}"
    if _ROOT.search(text):
        return Diagnosis(
            Reason.INVALID_IMAGE,
            f"{where}: {text}; set security.runAsUser, or USER in the image to a number",
            True,
        )
    ended = (container.get("lastState") or {}).get("terminated")
    if waiting.get("reason") == "CrashLoopBackOff" and ended:
        return _crashed(pod, container, ended)
    return Diagnosis(reason, f"{where}: {text}; {remedy.format(logs=_logs_of(pod, container), pulls=_pulls(text))}", is_final)


def _crashed(pod: Manifest, container: Manifest, ended: Manifest) -> Diagnosis:
    cause, name = ended.get("reason", "Error"), pod["metadata"]["name"]
    restarts = int(container.get("restartCount", 0))
    text = f"ended with exit code {ended.get('exitCode', '?')} ({cause}), restarted {restarts} time{'' if restarts == 1 else 's'}"
    if restarts and cause != "OOMKilled":
        text += by_liveness(pod, container["name"], ended.get("exitCode"))
    # Between a first end and its restart there is no previous container.
    remedy = f"see {_logs_of(pod, container)}{' --previous' if restarts else ''}"
    if cause == "OOMKilled":
        remedy = "raise its memory limit (resources.limits.memory), or let it use less"
    if cause in NEVER_RAN:
        # The message is the runtime's. Any other message is the application's own, and may hold what is secret.
        text, remedy = str(ended.get("message", text)), "check command and volumes"
    return Diagnosis(Reason.CRASH_LOOPING, f"pod {name}, container {container['name']}: {text}; {remedy}")


def _pulls(text: str) -> str:
    """What to do about an image that was not pulled, by what containerd says."""
    return next((remedy for words, remedy in _PULLS if words.search(text)), "check the image's name and imagePullSecrets")


def _logs_of(pod: Manifest, container: Manifest) -> str:
    return f"{logs_command(pod)} -c {container['name']}"


def logs_command(pod: Mapping[str, Any]) -> str:
    """What shows the logs of a pod, to be pasted as it is."""
    return f"kubectl logs{in_namespace(pod)} {pod['metadata']['name']}"


def _mounts(pod: Manifest, status: Manifest, made_at: datetime | None) -> list[Diagnosis]:
    # A volume whose Secret or ConfigMap is missing leaves the pod at ContainerCreating without a message: only an Event tells
    # more, and the operator does not read Events. Naming the step is what can be said for certain.
    started = any(c.get("type") == "PodReadyToStartContainers" and c.get("status") == "True" for c in status.get("conditions") or ())
    creating = [
        c
        for c in status.get("containerStatuses") or ()
        if ((c.get("state") or {}).get("waiting") or {}).get("reason") == "ContainerCreating"
    ]
    if status.get("phase") == "Pending" and creating and not started:
        name, named = pod["metadata"]["name"], _mounted(pod)
        missing = f"{' or '.join(named)} is missing" if named else "a Secret, ConfigMap or claim that it names is missing"
        return [
            Diagnosis(
                Reason.NOT_READY,
                f"pod {name}: its volumes are not mounted yet: attaching or mounting one of them is slow, or {missing}; "
                f"see the Events of {describing(pod)}",
                believed_after=timedelta(seconds=15),
                since=made_at,
            )
        ]
    return []


def _mounted(pod: Manifest) -> list[str]:
    """What of others' objects a pod mounts. Example: ["Secret db", "ConfigMap flags"]."""
    volumes, labels = (pod.get("spec") or {}).get("volumes") or (), pod["metadata"].get("labels") or {}
    # The files of its revision: the operator makes them before the pod.
    own = f"ConfigMap {names.child_name(labels.get(names.SERVICE_LABEL, ''), labels.get(names.REVISION_LABEL, ''))}"
    found = [f"{kind} {each[field][name]}" for each in volumes for field, kind, name in _MOUNTED if (each.get(field) or {}).get(name)]
    return [each for each in found if each != own]


def _unready(pod: Manifest, status: Manifest, made_at: datetime | None) -> list[Diagnosis]:
    name = pod["metadata"]["name"]
    if status.get("phase") == "Running" and not is_ready(pod):
        return [
            Diagnosis(
                Reason.NOT_READY,
                f"pod {name} runs, but {failing_probe(pod)}",
                believed_after=timedelta(minutes=1),
                since=made_at,
            )
        ]
    return []
