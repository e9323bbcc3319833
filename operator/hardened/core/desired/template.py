"""The pod template of a revision: rendered once, stored, and applied verbatim from then on."""

from hardened.api import names
from hardened.api.fields import Model
from hardened.api.parse import HardenedService
from hardened.api.placement import Spread
from hardened.api.volume import Volume
from hardened.core.desired.container import app_container, as_manifest, helper_container
from hardened.core.desired.metadata import labels
from hardened.core.model.manifest import ChildKey, Manifest, without_none

#: A pod on a node that is gone is replaced after this time. Kubernetes' own default is 300 s.
NODE_LOSS_SECONDS = 30
WRITABLE_SIZE = "1Gi"
_ZONE = "topology.kubernetes.io/zone"
_HOST = "kubernetes.io/hostname"


def claim_name(svc: HardenedService, volume: str) -> str:
    """The name of the claim behind a volume. It carries no revision: versions share it."""
    return names.child_name(svc.name, volume)


def files_name(svc: HardenedService, revision: str) -> str:
    """The name of the ConfigMap that holds a revision's files."""
    return names.child_name(svc.name, revision)


def needed_by(pods: Manifest) -> frozenset[ChildKey]:
    """What pods of this spec cannot start without, of the kinds that a service has as children."""
    return mounted_by(pods) | {ChildKey("ServiceAccount", pods["serviceAccountName"])}


def mounted_by(pods: Manifest) -> frozenset[ChildKey]:
    """The claims and ConfigMaps that pods of this spec mount."""
    found = pods.get("volumes") or ()
    claims = (ChildKey("PersistentVolumeClaim", v["persistentVolumeClaim"]["claimName"]) for v in found if "persistentVolumeClaim" in v)
    return frozenset({*claims, *(ChildKey("ConfigMap", v["configMap"]["name"]) for v in found if "configMap" in v)})


def gated(template: Manifest) -> Manifest:
    """The template of pods that are given to no node, as long as a restore holds them back."""
    return {**template, "spec": {**template["spec"], "schedulingGates": [{"name": names.HOLD_GATE}]}}


def pod_template(svc: HardenedService, revision: str) -> Manifest:
    """The PodTemplateSpec of a revision, without the colour label that a Deployment adds.

    Whatever is an atomic list or map for the API server is rendered in full, defaults included: such a place is
    compared as a whole.
    """
    spec = svc.spec
    pods = spec.pod_metadata
    meta: Manifest = {"labels": {**((pods and pods.labels) or {}), **labels(svc, "app", revision=revision)}}
    if pods and pods.annotations:
        meta["annotations"] = dict(pods.annotations)
    return {"metadata": meta, "spec": _pod_spec(svc, revision)}


def _pod_spec(svc: HardenedService, revision: str) -> Manifest:
    spec = svc.spec
    scheduling = spec.scheduling
    helpers = [
        *(helper_container(c, spec.security, is_sidecar=False) for c in spec.init_containers or ()),
        *(helper_container(c, spec.security, is_sidecar=True) for c in spec.sidecars or ()),
    ]
    return without_none(
        serviceAccountName=svc.name,
        automountServiceAccountToken=False,
        enableServiceLinks=False,
        terminationGracePeriodSeconds=spec.shutdown.grace_seconds,
        securityContext=pod_security(svc),
        imagePullSecrets=[{"name": s.name} for s in spec.image_pull_secrets] if spec.image_pull_secrets else None,
        initContainers=helpers or None,
        containers=[app_container(spec, mounts(svc))],
        volumes=volumes(svc, revision) or None,
        nodeSelector=dict(scheduling.node_selector) if scheduling and scheduling.node_selector else None,
        tolerations=_tolerations(svc),
        affinity=_affinity(svc, revision),
        topologySpreadConstraints=_spread(svc, revision),
        priorityClassName=scheduling and scheduling.priority_class_name,
        runtimeClassName=scheduling and scheduling.runtime_class_name,
    )


def pod_security(svc: HardenedService) -> Manifest:
    """The securityContext of a pod."""
    security = svc.spec.security
    return without_none(
        runAsNonRoot=True,
        runAsUser=security.run_as_user,
        runAsGroup=security.run_as_group,
        fsGroup=security.fs_group,
        fsGroupChangePolicy="OnRootMismatch" if security.fs_group else None,
        seccompProfile={"type": "RuntimeDefault"},
    )


def _pods_of(svc: HardenedService, revision: str) -> Manifest:
    return {"matchLabels": {names.SERVICE_LABEL: svc.name, names.REVISION_LABEL: revision}}


def _spread(svc: HardenedService, revision: str) -> list[Manifest]:
    given = (svc.spec.scheduling and svc.spec.scheduling.spread) or [Spread(topology_key=_HOST), Spread(topology_key=_ZONE)]
    return [
        {
            "topologyKey": s.topology_key,
            "maxSkew": s.max_skew,
            "whenUnsatisfiable": s.when_unsatisfiable,
            "labelSelector": _pods_of(svc, revision),
        }
        for s in given
    ]


def _affinity(svc: HardenedService, revision: str) -> Manifest:
    given = svc.spec.scheduling and svc.spec.scheduling.affinity
    if given:
        return as_manifest(given)
    apart = {"weight": 100, "podAffinityTerm": {"labelSelector": _pods_of(svc, revision), "topologyKey": _HOST}}
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]}}


def _tolerations(svc: HardenedService) -> list[Manifest]:
    given = [as_manifest(t) for t in (svc.spec.scheduling and svc.spec.scheduling.tolerations) or ()]
    lost = [
        {"key": f"node.kubernetes.io/{why}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": NODE_LOSS_SECONDS}
        for why in ("not-ready", "unreachable")
    ]
    return [*given, *lost]


def mounts(svc: HardenedService) -> list[Manifest]:
    """Where the application's container finds its volumes."""
    spec = svc.spec
    return [
        *({"name": f"writable-{i}", "mountPath": path} for i, path in enumerate(spec.security.writable_paths)),
        *(_file(i, f.mount_path, name) for i, f in enumerate(spec.files or ()) for name in sorted(f.data)),
        *(_mount(volume) for volume in spec.volumes or ()),
    ]


def _file(index: int, folder: str, name: str) -> Manifest:
    # One by one: a folder as a whole would hide what else the image has there. The ConfigMap never changes, so that nothing is missed.
    return {"name": f"files-{index}", "mountPath": f"{folder}/{name}", "subPath": name, "readOnly": True}


def _mount(volume: Volume) -> Manifest:
    read_only = True if volume.read_only or volume.secret or volume.config_map else None
    return without_none(name=volume.name, mountPath=volume.mount_path, readOnly=read_only, subPath=volume.sub_path)


def volumes(svc: HardenedService, revision: str) -> list[Manifest]:
    """The volumes of the application's pods. revision: whose files they have."""
    spec = svc.spec
    return [
        *({"name": f"writable-{i}", "emptyDir": {"sizeLimit": WRITABLE_SIZE}} for i, _ in enumerate(spec.security.writable_paths)),
        *(
            {"name": f"files-{i}", "configMap": {"name": files_name(svc, revision), "items": files_items(i, f.data)}}
            for i, f in enumerate(spec.files or ())
        ),
        *(_volume(svc, volume) for volume in spec.volumes or ()),
    ]


def files_key(index: int, file: str) -> str:
    """The key of a file in the revision's ConfigMap; `index` tells folders apart."""
    return f"{index}.{file}"


def files_items(index: int, data: dict[str, str]) -> list[Manifest]:
    """Where the keys of one folder go, in a fixed order."""
    return [{"key": files_key(index, file), "path": file} for file in sorted(data)]


def _volume(svc: HardenedService, volume: Volume) -> Manifest:
    if volume.claim:
        return {"name": volume.name, "persistentVolumeClaim": {"claimName": claim_name(svc, volume.name)}}
    sources: dict[str, Model | None] = {"emptyDir": volume.empty_dir, "secret": volume.secret, "configMap": volume.config_map}
    return {"name": volume.name, **{kind: as_manifest(source) for kind, source in sources.items() if source}}
