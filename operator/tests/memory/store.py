"""The state of the in-memory cluster, and what a write does to it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from tests.memory import fields, rules
from tests.memory.defaults import Defaulter
from tests.memory.fields import Body
from tests.memory.ownership import Conflicts, Manager, Owners

from hardened.api import names
from hardened.errors import ApiFailure, LookAgain, Refused, Vanished
from hardened.failures import EXCEEDED_QUOTA, NAMESPACE_TERMINATING
from hardened.shell.kinds import Kind

Id = tuple[str, str, str]  # kind, namespace, name
OnEvent = Callable[[str, Kind, Body], None]

HAS_STATUS = {
    "CronJob", "Deployment", "Job", "Service", "Pod", "PodDisruptionBudget", "PersistentVolumeClaim", "HorizontalPodAutoscaler",
    "ScaledObject", names.KIND, names.ACTION_KIND,
}  # fmt: skip
HAS_SCALE = {"Deployment", names.KIND}
HAS_GENERATION = {"CronJob", "Deployment", "Job", "PodDisruptionBudget", "NetworkPolicy", "ScaledObject", names.KIND, names.ACTION_KIND}
#: A PUT of these must say which resourceVersion it replaces.
NEEDS_VERSION = {"Lease", "PodDisruptionBudget", names.KIND}
_NOT_SPEC = ("apiVersion", "kind", "metadata", "status")
_SET_BY_SERVER = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass
class Stored:
    body: Body
    owners: Owners


@dataclass
class Store:
    """Shared by all who call the cluster. Bodies that go in and out are the store's own: callers copy them.

    quota: (namespace, kind) -> how many objects may be; creations beyond are refused. stuck: Deployments (namespace, name) that never
    become available; pace: how many pods of others become ready at a time. dead: images whose containers are never ready; doomed:
    images that fail as soon as a Service leads to them. homeless: images whose pods no node takes; lingering: revisions whose pods stay.
    demand: (namespace, service) -> the size that the load asks for, nothing for the present one.
    keda: whether the cluster knows KEDA's kinds ("" for not), and whether its operator is at work: "", Kinds or Works. unanswered: whether
    Prometheus gives it no number.
    barred: a part of the names of pods that an admission plugin refuses -> its words. rests: with what the controllers had nothing to do,
    see moved_by; None while they may have.
    rolled_out: (namespace, name) of a Deployment -> the template that its pods have.
    defaults: kind -> what fills in its defaults, such as those of the CRD's schema.
    """

    today: Callable[[], datetime]
    namespaces: dict[str, str]  # name -> Active or Terminating
    defaults: dict[str, Defaulter]
    objects: dict[Id, Stored] = field(default_factory=dict)
    on_event: list[OnEvent] = field(default_factory=list)
    quota: dict[tuple[str, str], int] = field(default_factory=dict)
    stuck: set[tuple[str, str]] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    doomed: set[str] = field(default_factory=set)
    pace: int = 1000
    homeless: set[str] = field(default_factory=set)
    lingering: set[str] = field(default_factory=set)
    demand: dict[tuple[str, str], int] = field(default_factory=dict)
    keda: str = ""
    unanswered: bool = False
    barred: dict[str, str] = field(default_factory=dict)
    rolled_out: dict[tuple[str, str], Body] = field(default_factory=dict)
    rests: tuple[object, ...] | None = None
    version: int = 1000
    born: int = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "Store":
        """Another cluster that goes on from here. A body is never changed, only replaced: the two share those that they have in common."""
        other = memo[id(self)] = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | set):
                setattr(other, name, value.copy())
        other.objects = {this: replace(stored) for this, stored in self.objects.items()}
        other.on_event = copy.deepcopy(self.on_event, memo)
        return other

    def moved_by(self) -> tuple[object, ...]:
        """What the controllers look at, but the time: equal where nothing has changed for them."""
        moods = (self.stuck, self.dead, self.doomed, self.homeless, self.lingering)
        return self.version, self.pace, self.keda, self.unanswered, *map(frozenset, moods), frozenset(self.demand.items())

    def now(self) -> str:
        return self.today().strftime("%Y-%m-%dT%H:%M:%SZ")

    def next_version(self) -> str:
        self.version += 1
        return str(self.version)

    def tell(self, event: str, kind: Kind, body: Body) -> None:
        for callback in tuple(self.on_event):
            callback(event, kind, fields.copy(body))

    def get(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        return self.objects.get((kind.name, namespace, name))

    def existing(self, kind: Kind, namespace: str, name: str) -> Stored:
        self._known(kind)
        stored = self.get(kind, namespace, name)
        if stored is None:
            raise Vanished(f'{kind.plural} "{name}" not found', status=404, reason="NotFound")
        return stored

    def bodies(self, kind: Kind, namespace: str | None) -> list[Body]:
        """Those of a kind, by namespace and name."""
        found = [(this, stored.body) for this, stored in self.objects.items() if this[0] == kind.name and namespace in (None, this[1])]
        return [body for _, body in sorted(found, key=itemgetter(0))]

    # ---- writes

    def apply(self, kind: Kind, manifest: Body, me: Manager, *, force: bool) -> Body:
        """Server-side apply, of the status alone when that is the manager's subresource."""
        self._known(kind)
        _well_formed(kind, manifest)
        wanted, meta = fields.without_nulls(manifest), manifest["metadata"]
        if kind.name in HAS_STATUS and not me.subresource:
            wanted.pop("status", None)
        known = self.get(kind, meta["namespace"], meta["name"])
        if known is None:
            if meta.get("uid"):
                said = f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found"
                raise conflict(kind, meta["name"], said)
            return self._make(kind, wanted, me)
        # The status of a custom resource is written whatever uid comes with it: all but the status is the stored object's own.
        is_blind = me.subresource == "status" and kind.group == names.GROUP
        _hold_preconditions(kind, {**meta, "uid": None} if is_blind else meta, known.body["metadata"])
        live = known.body | {"metadata": {key: value for key, value in known.body["metadata"].items() if key != "managedFields"}}
        wanted["metadata"] = {key: value for key, value in wanted["metadata"].items() if key not in ("uid", "resourceVersion")}
        if me.subresource:
            wanted = {key: wanted[key] for key in ("apiVersion", "kind", me.subresource) if key in wanted}
        try:
            new, owners = known.owners.applied(live, wanted, me, kind.name, force=force)
        except Conflicts as error:
            raise LookAgain(str(error), status=409, reason="Conflict") from error
        return self._commit(kind, known, new, owners)

    def try_out(self, kind: Kind, manifest: Body, me: Manager) -> None:
        """What an apply would raise. Nothing is stored, and nobody is told."""
        replace(self, objects=dict(self.objects), on_event=[]).apply(kind, fields.copy(manifest), me, force=False)

    def update(self, kind: Kind, manifest: Body, me: Manager) -> Body:
        """A PUT of the whole object, or what a patch made of it."""
        meta = manifest["metadata"]
        known = self.existing(kind, meta["namespace"], meta["name"])
        _hold_preconditions(kind, meta, known.body["metadata"])
        new = fields.copy(manifest)
        new["metadata"].pop("managedFields", None)
        for key in _SET_BY_SERVER:
            if key in known.body["metadata"]:
                new["metadata"][key] = known.body["metadata"][key]
        if kind.name in HAS_STATUS and me.subresource != "status":
            new.pop("status", None)
            new |= {"status": known.body["status"]} if "status" in known.body else {}
        self._default(kind, new)
        return self._commit(kind, known, new, known.owners.updated(known.body, new, me, kind.name))

    def create(self, kind: Kind, manifest: Body, me: Manager) -> Body:
        meta = manifest["metadata"]
        if self.get(kind, meta["namespace"], meta["name"]) is not None:
            raise LookAgain(f'{kind.plural} "{meta["name"]}" already exists', status=409, reason="AlreadyExists")
        return self._make(kind, fields.without_nulls(manifest), me)

    def _make(self, kind: Kind, body: Body, me: Manager) -> Body:
        meta = body["metadata"]
        _well_formed(kind, body)
        self._admit(kind, meta["namespace"], meta["name"])
        if kind.name in HAS_STATUS:
            body.pop("status", None)
        owners = Owners()
        if me.operation == "Apply":
            _, owners = owners.applied({}, body, me, kind.name, force=False)
        self._default(kind, body)
        if me.operation == "Update":
            # Who creates owns the defaults too; who applies, only what was applied.
            owners = owners.updated({}, body, me, kind.name)
        self.born += 1
        meta.pop("resourceVersion", None)
        meta |= {"uid": f"00000000-0000-4000-8000-{self.born:012d}", "creationTimestamp": self.now()}
        if kind.name in HAS_GENERATION:
            meta["generation"] = 1
        _allocate(kind, body)
        self._validate(kind, body, None)
        self._beside(kind, body)
        meta["managedFields"] = owners.managed_fields(kind.api_version, self.now(), Owners(), [])
        meta["resourceVersion"] = self.next_version()
        self.objects[kind.name, meta["namespace"], meta["name"]] = Stored(body, owners)
        self.tell("ADDED", kind, body)
        return body

    def _commit(self, kind: Kind, known: Stored, new: Body, owners: Owners) -> Body:
        """Stores the new state, unless it is the old one: then nothing is written, and the resourceVersion stays."""
        old = known.body
        self._default(kind, new)
        _allocate(kind, new, old)
        self._validate(kind, new, old)
        meta = new["metadata"]
        if new.get("spec") != old.get("spec"):
            self._beside(kind, new)
        meta["managedFields"] = owners.managed_fields(kind.api_version, self.now(), known.owners, old["metadata"]["managedFields"])
        meta["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old:
            return old
        if kind.name in HAS_GENERATION and _moves_generation(kind, new, old):
            meta["generation"] = old["metadata"]["generation"] + 1
        meta["resourceVersion"] = self.next_version()
        known.body, known.owners = new, owners
        self.tell("MODIFIED", kind, new)
        if "deletionTimestamp" in meta and not meta.get("finalizers"):
            self.remove(kind, meta["namespace"], meta["name"])
        return new

    def remove(self, kind: Kind, namespace: str, name: str) -> Body:
        """Takes the object away, finalizers or not. Its last state, with the version of the deletion itself."""
        body = self.objects.pop((kind.name, namespace, name)).body
        body = body | {"metadata": body["metadata"] | {"resourceVersion": self.next_version()}}
        self.tell("DELETED", kind, body)
        return body

    def _known(self, kind: Kind) -> None:
        if kind.is_optional and not self.keda:
            raise Vanished("HTTP 404", status=404)

    def _default(self, kind: Kind, body: Body) -> None:
        if kind.name in self.defaults:
            self.defaults[kind.name](body)

    def _validate(self, kind: Kind, new: Body, old: Body | None) -> None:
        if messages := rules.violations(kind.name, new, old):
            raise invalid(kind, new["metadata"]["name"], messages)

    def _beside(self, kind: Kind, body: Body) -> None:
        """What KEDA's webhook says: apis/keda/v1alpha1/scaledobject_webhook.go, verifyHpas. Where it is away, nothing."""
        if kind.name != "ScaledObject" or self.keda != "Works":
            return
        meta, target = body["metadata"], body["spec"]["scaleTargetRef"]["name"]
        for (other, namespace, name), stored in self.objects.items():
            owners = {(each["kind"], each["name"]) for each in stored.body["metadata"].get("ownerReferences") or ()}
            is_same = (other, namespace) == ("HorizontalPodAutoscaler", meta["namespace"])
            if is_same and stored.body["spec"]["scaleTargetRef"]["name"] == target and (kind.name, meta["name"]) not in owners:
                said = f"the workload '{target}' of type 'hardened.dev/v1alpha1.HardenedService' is already managed by the hpa '{name}'"
                raise Refused(f'admission webhook "vscaledobject.kb.io" denied the request: {said}', status=403, reason="Forbidden")

    def _admit(self, kind: Kind, namespace: str, name: str) -> None:
        phase = self.namespaces.get(namespace)
        if phase is None:
            raise Vanished(f'namespaces "{namespace}" not found', status=404, reason="NotFound")
        forbidden = f'{kind.plural} "{name}" is forbidden'
        if phase == "Terminating":
            said = f"{forbidden}: unable to create new content in namespace {namespace} because it is being terminated"
            raise Refused(said, status=403, reason=NAMESPACE_TERMINATING)
        said = next((words for part, words in self.barred.items() if kind.name == "Pod" and part in name), None)
        if said:
            raise Refused(f"{forbidden}: {said}", status=403, reason=EXCEEDED_QUOTA if "exceeded quota" in said else "Forbidden")
        limit = self.quota.get((namespace, kind.name))
        if limit is not None and len(self.bodies(kind, namespace)) >= limit:
            raise Refused(f"{forbidden}: exceeded quota: limit, limited: count/{kind.plural}={limit}", status=403, reason=EXCEEDED_QUOTA)


def conflict(kind: Kind, name: str, why: str) -> ApiFailure:
    return LookAgain(f'Operation cannot be fulfilled on {kind.plural} "{name}": {why}', status=409, reason="Conflict")


def invalid(kind: Kind, name: str, messages: list[str]) -> ApiFailure:
    return Refused(f'{kind.name} "{name}" is invalid: {"; ".join(messages)}', status=422, reason="Invalid")


def _well_formed(kind: Kind, manifest: Body) -> None:
    if manifest.get("apiVersion") != kind.api_version or manifest.get("kind") != kind.name:
        raise Refused(f"invalid object type: {manifest.get('apiVersion')}, Kind={manifest.get('kind')}", status=400, reason="BadRequest")
    if messages := rules.misfits(kind.name, manifest):
        # The real server says 500 here; Client makes a Refused of that.
        raise Refused(f"failed to create typed patch object: {'; '.join(messages)}", status=500)
    if manifest["metadata"].get("managedFields"):
        raise Refused("metadata.managedFields must be nil", status=400, reason="BadRequest")


def _hold_preconditions(kind: Kind, wanted: Body, live: Body) -> None:
    if wanted.get("uid") and wanted["uid"] != live["uid"]:
        # The real server says 422 to an apply and 409 to a PUT; Client makes a LookAgain of both.
        raise LookAgain(f"metadata.uid: Invalid value: {wanted['uid']!r}: field is immutable", status=422, reason="Invalid")
    if wanted.get("resourceVersion") and wanted["resourceVersion"] != live["resourceVersion"]:
        raise conflict(kind, live["name"], "the object has been modified; please apply your changes to the latest version and try again")


def _moves_generation(kind: Kind, new: Body, old: Body) -> bool:
    if any(new.get(key) != old.get(key) for key in new.keys() | old.keys() if key not in _NOT_SPEC):
        return True
    # Of a Deployment the annotations count too (pkg/registry/apps/deployment/strategy.go).
    return kind.name == "Deployment" and (new["metadata"].get("annotations") or {}) != (old["metadata"].get("annotations") or {})


def _allocate(kind: Kind, body: Body, old: Body | None = None) -> None:
    """A Service's addresses and node ports, as the server hands them out: one block of each per Service, by its uid.

    An address that an update leaves out stays as it was, also the one of a headless Service, which is none.
    """
    spec = body.get("spec", {})
    if kind.name != "Service" or spec.get("type") == "ExternalName":
        return
    number = int(body["metadata"]["uid"][-12:])
    if old is not None:
        spec |= {name: old["spec"][name] for name in ("clusterIP", "clusterIPs") if name in old["spec"] and name not in spec}
    address = spec.setdefault("clusterIP", f"10.96.{number // 256 % 256}.{number % 256}")
    spec.setdefault("clusterIPs", [address])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        for index, port in enumerate(spec.get("ports") or ()):
            port.setdefault("nodePort", 30000 + (number * 16 + index) % 2768)
