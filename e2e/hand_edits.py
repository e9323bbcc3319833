"""What others do by hand to the Services and Deployments of a release, and how the release may end after it."""

from __future__ import annotations

from e2e.damage import REPAIR_SECONDS
from e2e.kube import Body
from e2e.releases import ready_reason, serving_color
from e2e.rig import MERCY, Run
from hardened.core.model.target import other

PROMOTED, REJECTED, ROLLED_BACK = "promoted", "rejected", "rolled back"

#: Of the Service, by a merge patch.
PATCHES: dict[str, Body] = {
    "color-stripped": {"spec": {"selector": {"hardened.dev/color": None}}},
    "selector-stripped": {"spec": {"selector": None}},
    "service-labels-stripped": {"metadata": {"labels": None}},
    "port-edited": {"spec": {"ports": [{"name": "http", "port": 8888, "targetPort": 9999}]}},
}
#: Of the Service, as Git has it: applied server-side by a manager that takes what others own.
FROM_GIT = "service-from-git"
GIT_SPEC: Body = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}

OF_SERVICE = (*PATCHES, FROM_GIT)
#: Of the Deployment that serves when it is done, and of the other one.
OF_SERVING = ("serving-deleted", "serving-labels-stripped")
OF_OTHER = ("other-deleted", "other-labels-stripped")
EDITS = (*OF_SERVICE, *OF_SERVING, *OF_OTHER)
#: The steps in which nothing but stable serves, whatever happens, and that last long enough to be met surely.
BEFORE_CUTOVER = frozenset({"Preview", "VerifyBefore", "Approval"})
#: Those after which the Service leads to nobody that the operator has chosen.
LEADS_ASTRAY = frozenset({"color-stripped", "selector-stripped", FROM_GIT})


def ends_after(step: str, edit: str) -> frozenset[str]:
    """How the release of a good version may end that was edited in this step. What is over too soon to be met surely may end either way.

    Examples: ("Preview", "selector-stripped") -> promoted; ("VerifyAfter", "selector-stripped") -> taken back.
    """
    if step in ("ScaleUp", "Cutover"):
        return frozenset({PROMOTED, REJECTED, ROLLED_BACK})
    if step == "VerifyAfter":
        if edit == "other-deleted" or edit in LEADS_ASTRAY:
            return frozenset({ROLLED_BACK})
        return frozenset({PROMOTED, ROLLED_BACK}) if edit == "port-edited" else frozenset({PROMOTED})
    # Its check asked the pods that went.
    return frozenset({PROMOTED, REJECTED}) if (step, edit) == ("VerifyBefore", "other-deleted") else frozenset({PROMOTED})


def end_of(live: Body | None) -> str:
    """How a release has ended that was of the new version, in green; "" while it has not."""
    if ready_reason("Healthy")(live) and serving_color(live) == "green":
        return PROMOTED
    if ready_reason("Rejected")(live):
        return REJECTED
    return ROLLED_BACK if ready_reason("RolledBack")(live) else ""


def leads_after(step: str, edit: str) -> frozenset[str]:
    """The colours to one of which a repaired Service leads. Blue is stable up to the promotion.

    Examples: ("Approval", "selector-stripped") -> blue; ("Keep", "selector-stripped") -> green.
    """
    if step == "Keep":
        return frozenset({"green"})
    is_led_back = step in BEFORE_CUTOVER or (step == "VerifyAfter" and edit in LEADS_ASTRAY)
    return frozenset({"blue"}) if is_led_back else frozenset({"blue", "green"})


async def edit_and_await_repair(run: Run, edit: str, step: str) -> float:
    """Does one of EDITS in this step of a release from blue to green, and waits until it is repaired. Seconds."""
    serving = "green" if step == "Keep" else "blue"
    if edit in OF_SERVICE:
        return await _of_service(run, edit, leads_after(step, edit))
    return await _of_deployment(run, edit, serving if edit in OF_SERVING else other(serving))


async def _of_service(run: Run, edit: str, colors: frozenset[str]) -> float:
    was = await run.kube.get("Service", "web", run.namespace)
    live = await run.kube.get("HardenedService", "web", run.namespace)
    assert was
    if edit == FROM_GIT:
        meta = {"name": "web", "namespace": run.namespace}
        await run.kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": GIT_SPEC}, manager="git")
    else:
        await run.kube.patch("Service", "web", run.namespace, PATCHES[edit])
    revisions = revisions_of(live)
    selectors = [selector(color, revisions[color]) for color in colors & revisions.keys()]

    def is_whole(now: Body | None) -> bool:
        if now is None or now["spec"].get("selector") not in selectors or now["spec"]["ports"] != was["spec"]["ports"]:
            return False
        return set(was["metadata"]["labels"]) <= set(now["metadata"].get("labels") or {})

    _, seconds = await run.kube.until("Service", "web", run.namespace, is_whole, within=MERCY * REPAIR_SECONDS)
    return seconds


async def _of_deployment(run: Run, edit: str, color: str) -> float:
    name = f"web-{color}"
    # A step is told before what it asks for is there.
    was, _ = await run.kube.until("Deployment", name, run.namespace, lambda live: live is not None, within=MERCY * REPAIR_SECONDS)
    assert was
    uid, is_deleted = was["metadata"]["uid"], edit.endswith("deleted")
    labels: Body = was["metadata"]["labels"]
    if is_deleted:
        await run.kube.delete("Deployment", name, run.namespace)
    else:
        await run.kube.patch("Deployment", name, run.namespace, {"metadata": {"labels": None}})

    def is_whole(now: Body | None) -> bool:
        if now is None or now["metadata"].get("deletionTimestamp"):
            return False
        return labels.keys() <= (now["metadata"].get("labels") or {}).keys() and (now["metadata"]["uid"] != uid) == is_deleted

    _, seconds = await run.kube.until("Deployment", name, run.namespace, is_whole, within=MERCY * REPAIR_SECONDS)
    return seconds


def revisions_of(live: Body | None) -> dict[str, str]:
    """By colour: the revision that is stable, and the one that is released."""
    status = (live or {}).get("status") or {}
    places = [status.get("stable"), status.get("release")]
    return {place["color"]: place["revision"] for place in places if place}


def selector(color: str, revision: str) -> dict[str, str]:
    """What the clients' Service selects."""
    return {"hardened.dev/service": "web", "hardened.dev/color": color, "hardened.dev/revision": revision}
