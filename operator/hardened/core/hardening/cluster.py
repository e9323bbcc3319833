"""Checks of what a service refers to on a cluster, and of what the cluster needs to serve it."""

from collections.abc import Iterable, Iterator

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.api.service import HardenedServiceSpec
from hardened.core.desired.service import active_service_of, selector
from hardened.core.desired.template import claim_name, files_name, pod_template
from hardened.core.hardening.check import Gap, HardeningCheck, live_check
from hardened.core.hardening.fields import parts
from hardened.core.hardening.surroundings import Surroundings
from hardened.core.model.manifest import Manifest
from hardened.core.needs.config_maps import Reference, missing, references
from hardened.core.observe.adoptable import refusal
from hardened.core.revisions.revision import render, revision_name

_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_LEVELS = ("privileged", "baseline", "restricted")
_ENFORCED = "pod-security.kubernetes.io/enforce"


@live_check(
    "HS066",
    "error",
    "The namespace is there, and stays.",
    needs=("namespace",),
    cause="Nothing can be made in a namespace that does not exist, or that is being deleted.",
    fix="create the namespace, or name another one",
    example="kubectl create namespace shop",
)
def namespace_is_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if not around.namespace:
        yield Gap("metadata.namespace", f"there is no namespace {svc.namespace}")
    elif (around.namespace.get("metadata") or {}).get("deletionTimestamp"):
        yield Gap("metadata.namespace", f"namespace {svc.namespace} is being deleted")


@live_check(
    "HS067",
    "error",
    "The namespace admits pods of this profile.",
    needs=("namespace",),
    cause="Pod security admission refuses every pod of the service where the namespace enforces a stricter standard.",
    fix="use security.profile restricted, or have the label of the namespace changed",
    example="security: {profile: restricted}",
)
def namespace_admits_pods(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    labels = ((around.namespace or {}).get("metadata") or {}).get("labels") or {}
    level, profile = str(labels.get(_ENFORCED, "")), svc.spec.security.profile
    if level in _LEVELS and _LEVELS.index(level) > _LEVELS.index(profile):
        yield Gap("spec.security.profile", f"namespace {svc.namespace} enforces {level}, and the pods are {profile}")


@live_check(
    "HS068",
    "error",
    "The Secrets that it refers to are there.",
    needs=("secrets",),
    cause="A pod without its Secret never starts, and a backup without one fails. Whether a key is in it only the pod can tell: what is in "
    "Secrets is never read.",
    fix="create it in this namespace, or mark the reference as optional",
    example="kubectl create secret generic database -n shop --from-file=password",
)
def secrets_are_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    for path, name in secret_references(svc.spec):
        if name not in (around.secrets or ()):
            # What a backup needs no field makes optional.
            fix = "create it in this namespace" if path.startswith("spec.backups") else ""
            yield Gap(path, f"there is no Secret {name} in namespace {svc.namespace}", fix)


@live_check(
    "HS069",
    "error",
    "The Secrets that images are pulled with are there.",
    needs=("secrets",),
    cause="Without it nodes ask the registry without a password, and are refused.",
    fix="create it in this namespace, as a Secret of type kubernetes.io/dockerconfigjson",
    example="kubectl create secret docker-registry registry -n shop --docker-server=registry.example --docker-username=shop",
)
def pull_secrets_are_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    for index, each in enumerate(svc.spec.image_pull_secrets or ()):
        if each.name not in (around.secrets or ()):
            yield Gap(f"spec.imagePullSecrets[{index}]", f"there is no Secret {each.name} in namespace {svc.namespace}")


@live_check(
    "HS070",
    "error",
    "The ConfigMaps and keys that it refers to are there.",
    needs=("config_maps",),
    cause="A pod without its ConfigMap, or without a key of it, never starts: the release waits for it.",
    fix="create it in this namespace, or mark the reference as optional",
    example="kubectl create configmap settings -n shop --from-file=app.toml",
)
def config_maps_are_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    places = dict(_config_map_places(svc.spec))
    for wanted in config_map_references(svc):
        for text in missing([wanted], around.config_maps or {}):
            message, _, fix = text.partition(": ")
            yield Gap(places.get(wanted.name, "spec"), message, fix)


@live_check(
    "HS071",
    "error",
    "The storage classes of new claims are there.",
    needs=("storage_classes", "claims"),
    cause="A claim of a class that does not exist, or of none where the cluster has no default, gets no volume, and its pods never start.",
    fix="name one that is there in storageClassName",
    example="volumes: [{name: data, mountPath: /data, claim: {size: 10Gi, storageClassName: standard}}]",
)
def storage_classes_are_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    classes = around.storage_classes or ()
    known = [str(each["metadata"]["name"]) for each in classes]
    has_default = any((each["metadata"].get("annotations") or {}).get(key) == "true" for each in classes for key in _DEFAULT_CLASS)
    for index, volume in enumerate(svc.spec.volumes or ()):
        if volume.claim is None or claim_name(svc, volume.name) in (around.claims or ()):
            continue
        wanted, path = volume.claim.storage_class_name, f"spec.volumes[{index}].claim"
        if wanted and wanted not in known:
            yield Gap(f"{path}.storageClassName", f"there is no storage class {wanted}; there is {', '.join(known) or 'none'}")
        elif not wanted and not has_default:
            yield Gap(path, f"claim {volume.name} names no storage class, and the cluster has no default")


@live_check(
    "HS072",
    "error",
    "The priority class is there.",
    needs=("priority_classes",),
    cause="The API server refuses pods of a priority class that it does not know.",
    fix="name one that is there, or leave it out",
    example="scheduling: {priorityClassName: business}",
)
def priority_class_is_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    wanted = svc.spec.scheduling and svc.spec.scheduling.priority_class_name
    if wanted and wanted not in (around.priority_classes or ()):
        yield Gap("spec.scheduling.priorityClassName", f"there is no priority class {wanted}")


@live_check(
    "HS073",
    "error",
    "The runtime class is there.",
    needs=("runtime_classes",),
    cause="The API server refuses pods of a runtime class that it does not know.",
    fix="name one that is there, or leave it out",
    example="scheduling: {runtimeClassName: gvisor}",
)
def runtime_class_is_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    wanted = svc.spec.scheduling and svc.spec.scheduling.runtime_class_name
    if wanted and wanted not in (around.runtime_classes or ()):
        yield Gap("spec.scheduling.runtimeClassName", f"there is no runtime class {wanted}")


@live_check(
    "HS074",
    "error",
    "The services that it depends on are there.",
    needs=("hardened_services",),
    cause="A release waits, without a deadline, until each is available.",
    fix="deploy it, or correct the name",
    example="dependsOn: [{service: database}]",
)
def dependencies_are_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    for index, each in enumerate(svc.spec.depends_on or ()):
        if each.service and each.service not in (around.hardened_services or ()):
            yield Gap(f"spec.dependsOn[{index}].service", f"there is no HardenedService {each.service} in namespace {svc.namespace}")


@live_check(
    "HS075",
    "error",
    "The addresses that it depends on are there.",
    needs=("services", "hardened_services"),
    cause="A release waits, without a deadline, until each accepts a connection.",
    fix="create the Service, or correct the name",
    example="dependsOn: [{tcp: redis:6379}]",
)
def addresses_are_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    for index, each in enumerate(svc.spec.depends_on or ()):
        name = each.tcp.rpartition(":")[0] if each.tcp else ""
        if name and name not in (around.services or ()) and name not in (around.hardened_services or ()):
            yield Gap(f"spec.dependsOn[{index}].tcp", f"there is no Service {name} in namespace {svc.namespace}")


@live_check(
    "HS076",
    "error",
    "The claims of backup repositories are there.",
    needs=("claims",),
    cause="The operator never creates the claim of a repository: pods of the backup wait for it until their deadline.",
    fix="create the claim, or name another one",
    example="backups: [{name: nightly, repository: {secretName: restic, claim: {name: backups}}, …}]",
)
def repositories_are_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    for index, backup in enumerate(svc.spec.backups or ()):
        claim = backup.repository.claim
        if claim and claim.name not in (around.claims or ()):
            yield Gap(f"spec.backups[{index}].repository.claim", f"there is no claim {claim.name} in namespace {svc.namespace}")


@live_check(
    "HS077",
    "error",
    "The names of its children are free.",
    needs=("namesakes",),
    cause="An object of the same name that belongs to somebody else is never touched: the release stops with reason NotOwned. A Service "
    "may be taken over, once a person has annotated it: then the check says what stands in the way of that.",
    fix="delete or rename it, give the service another name, or have a Service taken over",
    example="metadata: {name: shop-api}",
)
def names_are_free(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    for live in around.namesakes or ():
        controller: Manifest = next((each for each in live["metadata"].get("ownerReferences") or () if each.get("controller")), {})
        labels = live["metadata"].get("labels") or {}
        is_ours = labels.get(names.MANAGED_BY_LABEL) == names.MANAGED_BY and labels.get(names.SERVICE_LABEL) == svc.name
        is_own = controller.get("kind") == names.KIND and controller.get("name") == svc.name
        if is_ours or is_own:
            continue
        is_clients = (live["kind"], live["metadata"]["name"]) == ("Service", svc.name)
        why = refusal(svc, active_service_of(svc, render(svc), selector(svc, None)), live) if is_clients else None
        if why != "":
            yield Gap("metadata.name", why or f"{live['kind']} {live['metadata']['name']} exists, and is not of this service")


def secret_references(spec: HardenedServiceSpec) -> Iterator[tuple[str, str]]:
    """The Secrets that pods and backups of a spec cannot do without, but for those to pull images with: each by its path and name."""
    for path, _, container in parts(spec):
        for index, variable in enumerate(container.env or ()):
            ref = variable.value_from and variable.value_from.secret_key_ref
            if ref and not ref.optional:
                yield f"{path}.env[{index}]", ref.name
        for index, source in enumerate(container.env_from or ()):
            if source.secret_ref and not source.secret_ref.optional:
                yield f"{path}.envFrom[{index}]", source.secret_ref.name
    for index, volume in enumerate(spec.volumes or ()):
        if volume.secret and not volume.secret.optional:
            yield f"spec.volumes[{index}].secret", volume.secret.secret_name
    yield from _of_backups(spec)


def _of_backups(spec: HardenedServiceSpec) -> Iterator[tuple[str, str]]:
    for index, backup in enumerate(spec.backups or ()):
        yield f"spec.backups[{index}].repository.secretName", backup.repository.secret_name
        for kind in ("postgres", "redis"):
            source = getattr(backup.source, kind)
            if source:
                yield f"spec.backups[{index}].source.{kind}.secretName", source.secret_name


def _config_map_places(spec: HardenedServiceSpec) -> Iterator[tuple[str, str]]:
    for path, _, container in parts(spec):
        for index, variable in enumerate(container.env or ()):
            if variable.value_from and variable.value_from.config_map_key_ref:
                yield variable.value_from.config_map_key_ref.name, f"{path}.env[{index}]"
        for index, source in enumerate(container.env_from or ()):
            if source.config_map_ref:
                yield source.config_map_ref.name, f"{path}.envFrom[{index}]"
    for index, volume in enumerate(spec.volumes or ()):
        if volume.config_map:
            yield volume.config_map.name, f"spec.volumes[{index}].configMap"


def config_map_references(svc: HardenedService) -> list[Reference]:
    """The ConfigMaps and keys that pods of a service cannot start without, but for the one that is made with the revision."""
    revision = revision_name(svc.spec)
    own = files_name(svc, revision)
    return [each for each in references(pod_template(svc, revision)) if each.name != own]


def namesake_names(svc: HardenedService) -> dict[str, tuple[str, ...]]:
    """The names, by kind, that the first release of a service needs."""
    colored = tuple(names.child_name(svc.name, color) for color in (names.BLUE, "green"))
    return {"Service": (svc.name,) if svc.spec.ports else (), "Deployment": colored}


def needs_secrets(spec: HardenedServiceSpec) -> Iterable[str]:
    """The names of all Secrets that a spec refers to and cannot do without."""
    return {*(name for _, name in secret_references(spec)), *(each.name for each in spec.image_pull_secrets or ())}


REFERENCES: tuple[HardeningCheck, ...] = (
    namespace_is_there,
    namespace_admits_pods,
    secrets_are_there,
    pull_secrets_are_there,
    config_maps_are_there,
    storage_classes_are_there,
    priority_class_is_there,
    runtime_class_is_there,
    dependencies_are_there,
    addresses_are_there,
    repositories_are_there,
    names_are_free,
)
