"""Who still uses the data that a restore is to replace: the pods that are to be stopped, and whatever mounts its claim."""

from collections.abc import Iterable
from typing import Final

from hardened.api import names
from hardened.core.desired.template import claim_name
from hardened.core.model.hold import Hold
from hardened.core.model.manifest import Manifest
from hardened.core.observe.facts import Facts
from hardened.core.observe.lost_hold import held_by
from hardened.core.observe.presence import is_deleting, may_run
from hardened.core.observe.rollout import Rollout

#: Of pods, in one message.
_MOST_NAMED: Final = 3


def all_stopped(facts: Facts, hold: Hold) -> bool:
    """Whether each Deployment was written for the hold, and whoever makes its ReplicaSets has heard of it: it has no pods; or somebody
    scales it up again and again, to pods that are given to no node."""
    return not hold.stops_self or all(_is_stopped(live, facts.rollout(color), hold) for color, live in facts.deployments.items())


def users(facts: Facts, hold: Hold, job: str = "") -> str:
    """Who uses the data, and what to do about it; "" once nobody is left. The pods of the namespace were listed.

    job: the uid of the one that restores, whose own pods do not count; "" for none.
    """
    pods = [pod for pod in facts.observed.namespace_pods or () if _holds_on(pod)]
    own = [pod for pod in pods if hold.stops_self and _is_of(facts, pod)]
    strays = [pod for pod in own if not is_deleting(pod) and not pod["metadata"].get("ownerReferences")]
    claim = _claim(facts, hold)
    others = [pod for pod in pods if pod not in own and claim and claim in _claims(pod) and not _is_made_by(pod, job)]
    late = hold.stops_self and not job and _replica_sets_are_late(facts, hold)
    parts = [
        "its ReplicaSets have not heard yet that it has no pods" if late and not own else "",
        f"waits for the end of {_named(own)}" if own else "",
        f"nobody ends {_named(strays)}, made by hand: kubectl delete pod -n {facts.svc.namespace} {' '.join(_names(strays)[:_MOST_NAMED])}"
        if strays
        else "",
        f"claim {claim} is mounted by {_named(others)}, which the operator does not stop: end what they belong to, or delete them: "
        f"kubectl delete pod -n {facts.svc.namespace} {' '.join(_names(others)[:_MOST_NAMED])}"
        if others
        else "",
    ]
    return "; ".join(part for part in parts if part)


def writers(facts: Facts) -> str:
    """Which pods of restores may still write, though nobody waits for what they say; "" for none. The pods of the namespace were listed."""
    found = [pod for pod in facts.observed.namespace_pods or () if may_run(pod) and _restores(facts, pod)]
    return f"waits for the end of {_named(found)}, which may still write: its Job has failed, or was deleted or taken back" if found else ""


def _is_made_by(pod: Manifest, job: str) -> bool:
    return job != "" and any(ref.get("uid") == job and ref.get("controller") for ref in pod["metadata"].get("ownerReferences") or ())


def _restores(facts: Facts, pod: Manifest) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return (labels.get(names.SERVICE_LABEL), labels.get(names.RUN_LABEL)) == (facts.svc.name, names.RESTORE)


def _is_of(facts: Facts, pod: Manifest) -> bool:
    """Whether a pod is one of the application's, or makes a backup of it."""
    labels = pod["metadata"].get("labels") or {}
    if labels.get(names.SERVICE_LABEL) != facts.svc.name:
        return False
    makes_backup = labels.get(names.COMPONENT_LABEL) == names.BACKUP and names.RUN_LABEL not in labels
    return labels.get(names.COMPONENT_LABEL) == "app" or makes_backup


def _holds_on(pod: Manifest) -> bool:
    """Whether a pod may run, or runs: one that has not been given to a node mounts nothing, as long as it is held back by a gate."""
    is_gated = not (pod.get("spec") or {}).get("nodeName") and bool((pod.get("spec") or {}).get("schedulingGates"))
    return may_run(pod) and not is_gated


def _is_stopped(live: Manifest, rollout: Rollout | None, hold: Hold) -> bool:
    # A hold that somebody removed comes back under the same uid: a mark says no more than that the gate was seen once.
    return held_by(live) == hold.uid and bool(rollout and rollout.is_current) and (_has_none(rollout) or _is_gated(live))


def _has_none(rollout: Rollout | None) -> bool:
    return rollout is not None and rollout.is_current and rollout.wanted == 0


def _is_gated(live: Manifest) -> bool:
    """Whether pods of this Deployment, or ReplicaSet, are held back by the gate of a hold."""
    pod = ((live.get("spec") or {}).get("template") or {}).get("spec") or {}
    return any(gate.get("name") == names.HOLD_GATE for gate in pod.get("schedulingGates") or ())


def _replica_sets_are_late(facts: Facts, hold: Hold) -> bool:
    """Whether one of them may still make a pod that comes to a node. Each was listed before the pods were."""
    mine = {live["metadata"]["uid"]: color for color, live in facts.deployments.items()}
    listed = [live for live in facts.observed.replica_sets or () if not is_deleting(live)]
    found = [(mine[uid], live) for live in listed for uid in _owners(live) & mine.keys()]
    # The Deployment controller copies the mark, so it has seen the gate with it, and brings back no ReplicaSet of an older template.
    held = {color for color, live in found if held_by(live) == hold.uid and _is_gated(live)}
    scaled = {color for color in facts.deployments if not _has_none(facts.rollout(color))}
    return not scaled <= held or any(_may_make_pods(live) for color, live in found if color not in held or not _is_gated(live))


def _may_make_pods(replica_set: Manifest) -> bool:
    seen = int((replica_set.get("status") or {}).get("observedGeneration", 0))
    is_late = seen < int(replica_set["metadata"].get("generation", 0))
    return is_late or int((replica_set.get("spec") or {}).get("replicas", 0)) > 0


def _owners(live: Manifest) -> set[str]:
    return {str(ref.get("uid")) for ref in live["metadata"].get("ownerReferences") or ()}


def _claim(facts: Facts, hold: Hold) -> str:
    """The claim whose files are replaced; "" where it is a server's data."""
    backups = () if hold.service else facts.svc.spec.backups or ()
    source = next((each.source for each in backups if each.name == hold.backup), None)
    return claim_name(facts.svc, source.volume.name) if source and source.volume else ""


def _claims(pod: Manifest) -> set[str]:
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    ephemeral = {f"{pod['metadata']['name']}-{each.get('name')}" for each in volumes if each.get("ephemeral")}
    return ephemeral | {str(each["persistentVolumeClaim"].get("claimName")) for each in volumes if each.get("persistentVolumeClaim")}


def _names(pods: Iterable[Manifest]) -> list[str]:
    return sorted(str(pod["metadata"]["name"]) for pod in pods)


def _named(pods: list[Manifest]) -> str:
    found = _names(pods)
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"pod{'s' if found[1:] else ''} {', '.join(found[:_MOST_NAMED])}{more}"
