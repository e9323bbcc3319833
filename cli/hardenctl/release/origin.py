"""Where a service comes from: who reads its managed fields and labels knows where a change of it stays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from hardenctl.cluster.paths import FIELD_MANAGER
from hardenctl.output.program import PROG
from hardened.api import names

_FLUX = {"kustomize.toolkit.fluxcd.io": "kustomization", "helm.toolkit.fluxcd.io": "helmrelease"}
_ARGO = "argocd.argoproj.io"
_HELM = "meta.helm.sh"


@dataclass(frozen=True)
class Origin:
    """Whoever writes the spec."""

    how: str
    """How it is changed so that the change stays, as a sentence without its end."""
    command: str
    """What to type next, without the flags that name the cluster."""
    flags: Callable[[str], str] = lambda given: given
    """Those flags, of kubectl, as the command spells them."""
    is_ours: bool = False
    """It is this program."""


def origin_of(live: Mapping[str, Any]) -> Origin:
    """The tool that a service is changed with. Of one that tells nothing, it is this program."""
    meta = live["metadata"]
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    for check in (_flux, _argo, _helm):
        found = check(labels, notes, str(meta.get("namespace", "")))
        if found:
            return found
    if _last_writer(live) not in ("", FIELD_MANAGER):
        return origin_of_edit(live)
    how = "change it with deploy, by --image or by its file"
    # What is to be deployed only a person knows, who first looks at why.
    return Origin(how, f"{PROG} explain {meta['name']} -n {meta.get('namespace', '')}", is_ours=True)


def origin_of_edit(live: Mapping[str, Any]) -> Origin:
    """A service that is edited in place, or applied from a file by kubectl."""
    meta = live["metadata"]
    how = "change its file and apply it with kubectl, or edit it in place"
    return Origin(how, f"kubectl edit {names.SINGULAR} {meta['name']} -n {meta.get('namespace', '')}")


def _flux(labels: Mapping[str, str], _: Mapping[str, str], namespace: str) -> Origin | None:
    for group, kind in _FLUX.items():
        name = labels.get(f"{group}/name")
        if name:
            where = labels.get(f"{group}/namespace") or namespace
            how = f"change it in Git, which Flux's {kind} {name} applies"
            return Origin(how, f"flux reconcile {kind} {quote(name)} -n {quote(where)} --with-source")
    return None


def _argo(labels: Mapping[str, str], notes: Mapping[str, str], _: str) -> Origin | None:
    app = str(notes.get(f"{_ARGO}/tracking-id") or "").partition(":")[0] or labels.get(f"{_ARGO}/instance")
    if not app:
        return None
    return Origin(f"change it in Git, which Argo CD's application {app} applies", f"argocd app get {quote(app)} --refresh", lambda _: "")


def _helm(_: Mapping[str, str], notes: Mapping[str, str], namespace: str) -> Origin | None:
    release = notes.get(f"{_HELM}/release-name")
    if not release:
        return None
    where = notes.get(f"{_HELM}/release-namespace") or namespace
    how = f"change the values of the Helm release {release}, and upgrade it"
    return Origin(how, f"helm get values {quote(release)} -n {quote(where)}", _of_helm)


def _of_helm(flags: str) -> str:
    return flags.replace(" --context ", " --kube-context ").replace(" --as ", " --kube-as-user ")


def _last_writer(live: Mapping[str, Any]) -> str:
    """Whoever set the image last, "" where that is not told."""
    entries = [
        entry
        for entry in live["metadata"].get("managedFields") or ()
        if not entry.get("subresource") and "f:image" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    return str(max(entries, key=lambda entry: str(entry.get("time") or ""))["manager"]) if entries else ""
