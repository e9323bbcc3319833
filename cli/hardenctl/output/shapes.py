"""What `-o json` prints, verb by verb. Fields are only ever added. `make gen` writes docs/schemas from these; no verb loads them.

What the cluster says is passed on as it is: such a part is a plain object here, and docs/reference.md has its fields.
"""

from collections.abc import Mapping
from typing import Any, Literal

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord

#: An object of the cluster, or a part of one, as it is there.
AsInCluster = dict[str, Any]


class Failure(TypedDict):
    """How every verb ends that could not do what it was asked."""

    result: ResultWord
    message: str
    """What is wrong."""
    hint: str
    """What to do about it, empty if the message says so."""
    next: str
    """A command to type, empty for none."""


class Pods(TypedDict):
    """How many pods serve."""

    available: int
    wanted: int | None
    """Null while nobody has said how many."""


class Stack(TypedDict):
    """One colour as it runs."""

    color: str
    revision: str
    ready: int
    wanted: int
    others: int
    """Pods of the revision before it that are still there."""
    counted: bool
    """False until its controller has seen what it is to run."""


class Metric(TypedDict):
    """What pods use of what they should."""

    resource: str
    """cpu, memory, or prometheus[N]."""
    target: float
    current: float | None
    """Null where nobody knows."""


class Scaling(TypedDict):
    """How a service is scaled."""

    replicas: int | None
    minReplicas: int
    maxReplicas: int
    reason: str
    message: str
    quota: str
    """What quotas lack for the largest size, empty for nothing."""
    metrics: list[Metric]


class Summary(TypedDict):
    """A service in a list."""

    result: ResultWord
    namespace: str
    name: str
    phase: str
    message: str
    reason: str
    revision: str
    """That serves, as color and image; empty while none does."""
    color: str
    image: str
    wantedImage: str
    """That the spec asks for."""
    pods: Pods
    generation: int
    observedGeneration: int
    release: AsInCluster | None
    """As in status.release, as the fields below are in status."""
    pending: AsInCluster | None
    hold: AsInCluster | None
    stable: AsInCluster | None
    pin: AsInCluster | None
    proof: AsInCluster | None
    dependencies: list[AsInCluster]
    conditions: list[AsInCluster]
    next: str


class Status(Summary):
    """One service."""

    stacks: list[Stack]
    autoscale: Scaling | None
    """Null without spec.autoscale."""


class Services(TypedDict):
    """Services, the worst of them in `result`."""

    result: ResultWord
    services: list[Summary]


class Statuses(TypedDict):
    """Several services that were named."""

    result: ResultWord
    services: list[Status]


class Applied(Summary):
    """A service that was applied."""

    change: Literal["created", "configured", "unchanged", "applied"]
    """`applied` where what was there before may not be read."""


class Deployed(TypedDict):
    """What came of it; the worst of the services in `result`."""

    result: ResultWord
    services: list[Applied]


class Change(TypedDict):
    """An object that a release would change."""

    action: str
    kind: str
    name: str
    field: str
    manifest: AsInCluster


class Preview(TypedDict):
    """What a release of a service would change."""

    namespace: str
    name: str
    revision: str
    obstacle: str
    gaps: list[str]
    changes: list[Change]


class DryRun(TypedDict):
    """With --dry-run."""

    result: ResultWord
    services: list[Preview]


class Link(TypedDict):
    """A link of the chain from the spec to its pods."""

    kind: str
    name: str
    state: str
    message: str


class Explained(TypedDict):
    """Of a service."""

    result: ResultWord
    namespace: str
    name: str
    reason: str
    cause: str
    meaning: str
    fix: str
    chain: list[Link]
    next: str


class ReasonPage(TypedDict):
    """Of a reason."""

    result: ResultWord
    reason: str
    meaning: str
    cause: str
    fix: str
    command: str


class Event(TypedDict):
    """Something that happened."""

    at: str
    who: str
    kind: str
    name: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    count: int
    revision: str


class Events(TypedDict):
    """The oldest first."""

    result: ResultWord
    namespace: str
    name: str
    events: list[Event]
    next: str


class PodLog(TypedDict):
    """Of one pod."""

    pod: str
    revision: str
    color: str
    container: str
    lines: list[str]
    problem: str
    """Why it has none, empty where it has."""


class Logs(TypedDict):
    """Pod by pod."""

    result: ResultWord
    namespace: str
    name: str
    logs: list[PodLog]


class Pod(TypedDict):
    """A pod of a colour."""

    name: str
    revision: str
    color: str
    state: str
    ready: bool
    restarts: int
    createdAt: str
    node: str


class Color(TypedDict):
    """A colour of a revision."""

    color: str
    ready: int
    wanted: int
    pods: list[Pod]


class Branch(TypedDict):
    """A revision of a tree."""

    revision: str
    image: str
    roles: list[str]
    colors: list[Color]


class Tree(TypedDict):
    """The newest revision first."""

    result: ResultWord
    namespace: str
    name: str
    revisions: list[Branch]
    next: str


class ObjectDiff(TypedDict):
    """An object that would change."""

    action: str
    kind: str
    name: str
    diff: str
    """A unified diff of its YAML, without secrets."""


class ServiceDiff(TypedDict):
    """What a file would change of a service."""

    namespace: str
    name: str
    revision: str
    obstacle: str
    objects: list[ObjectDiff]


class FileDiff(TypedDict):
    """With -f."""

    result: Literal[ResultWord.DIFFERS, ResultWord.UNCHANGED]
    services: list[ServiceDiff]


#: Between two revisions. As a function, since `from` is a word of Python's.
RevisionDiff = TypedDict(
    "RevisionDiff",
    {
        "result": Literal[ResultWord.DIFFERS, ResultWord.UNCHANGED],
        "namespace": str,
        "name": str,
        "from": str,
        "to": str,
        "diff": str,
    },
)


class Rejected(TypedDict):
    """Why a revision was rejected, or rolled back."""

    key: str
    reason: str
    message: str
    afterCutover: bool


class Revision(TypedDict):
    """A stored revision."""

    number: int
    """0 if unknown."""
    revision: str
    image: str
    createdAt: str
    promotion: int
    """0 if it was never promoted."""
    states: list[str]
    serves: bool
    stable: bool
    rejections: list[Rejected]
    missing: bool


class History(TypedDict):
    """The newest first."""

    result: ResultWord
    namespace: str
    name: str
    revisions: list[Revision]
    next: str


class Asked(TypedDict):
    """What came of a HardenedServiceAction."""

    result: ResultWord
    namespace: str
    name: str
    verb: str
    revision: str
    action: str
    """The name of the request, empty where none was needed."""
    message: str
    hint: str
    next: str


class Done(Asked, total=False):
    """The same, with what the operator says of it once it is done."""

    outcome: AsInCluster


class Suspended(TypedDict):
    """Whether the operator leaves a service as it is."""

    result: Literal[ResultWord.SUSPENDED, ResultWord.OK, ResultWord.UNCHANGED]
    namespace: str
    name: str
    suspended: bool
    until: str | None
    """When it goes on by itself; null without an end, and where it is not suspended."""
    message: str
    next: str


class RecoveryPoint(TypedDict):
    """The moment that restored data is of."""

    snapshot: str
    at: str | None
    ageSeconds: int | None


class Restored(Done, total=False):
    """With the data that comes back, where any does."""

    recoveryPoint: RecoveryPoint
    seconds: float | None
    """How long it took; null where that was not waited for."""


class Untouched(TypedDict):
    """What a rollback leaves as it is."""

    secrets: list[str]
    configMaps: list[str]
    claims: list[str]


class RolledBack(Restored, total=False):
    """With what was not rolled back."""

    notRolledBack: Untouched | None
    """Null where nobody knows."""


class Backup(TypedDict):
    """One of spec.backups."""

    name: str
    source: str
    schedule: str | None
    timeZone: str
    suspended: bool
    lastSuccess: AsInCluster | None
    lastFailure: AsInCluster | None
    running: AsInCluster | None
    nextAt: str | None
    ageSeconds: int | None
    maxAgeSeconds: int | None
    recoveryPointSeconds: int | None
    lastVerification: AsInCluster | None
    verificationAgeSeconds: int | None
    maxVerificationAgeSeconds: int | None
    good: bool
    verified: bool


class Backups(TypedDict):
    """In the order of the spec."""

    result: ResultWord
    namespace: str
    name: str
    backups: list[Backup]
    next: str


class Manifests(TypedDict):
    """Objects, as kubectl lists them."""

    apiVersion: Literal["v1"]
    kind: Literal["List"]
    items: list[AsInCluster]


class LeftBehind(TypedDict):
    """An object that the operator made."""

    kind: str
    name: str
    note: str
    """What becomes of it, empty for nothing."""


class Ejected(TypedDict):
    """A service that goes on without the operator; with --dry-run, one that would."""

    result: ResultWord
    namespace: str
    name: str
    left: list[LeftBehind]


class ImportedObject(TypedDict):
    """An object that was made; with --dry-run, one that would be."""

    kind: str
    namespace: str
    name: str


class NotImported(ImportedObject):
    """An object of the file that was not."""

    why: str


class Import(TypedDict):
    """What came of a file of `state export`."""

    result: Literal[ResultWord.OK, ResultWord.UNCHANGED, ResultWord.FAILED]
    made: list[ImportedObject]
    left: list[NotImported]
    """It is there already, or is nothing to import."""
    failed: list[NotImported]


class ConversionNote(TypedDict):
    """What became of a field."""

    service: str
    field: str
    """Of the source where it was changed or left out, else of the HardenedService."""
    message: str


class Conversion(TypedDict):
    """HardenedServices that were made of something else."""

    result: ResultWord
    source: Literal["Deployment", "Rollout", "Ingress", "compose"]
    services: list[AsInCluster]
    """As they are to be applied."""
    changed: list[ConversionNote]
    guessed: list[ConversionNote]
    leftOut: list[ConversionNote]


class Judged(TypedDict):
    """A service that was checked."""

    namespace: str
    name: str
    file: str


class Finding(TypedDict):
    """A risk that was found."""

    id: str
    severity: Literal["error", "warn"]
    namespace: str
    name: str
    field: str
    file: str
    line: int | None
    column: int | None
    message: str
    fix: str
    link: str


class Skipped(TypedDict):
    """A check that was not done."""

    namespace: str
    name: str
    id: str
    reason: str


class Preflight(TypedDict):
    """Of every service that was checked."""

    result: ResultWord
    services: list[Judged]
    findings: list[Finding]
    skipped: list[Skipped]


class ReportedFile(TypedDict):
    """A file of a support bundle."""

    path: str
    """In the archive, below its folder."""
    bytes: int
    redactions: int
    """How many values were hidden in it."""


class NotReported(TypedDict):
    """What is not in a support bundle."""

    what: str
    why: str


class Report(TypedDict):
    """A support bundle that was written; `result` is warnings where something is missing."""

    result: ResultWord
    namespace: str
    name: str
    path: str
    bytes: int
    """Of the archive."""
    files: list[ReportedFile]
    """Beside manifest.json, which also names the places where something was hidden."""
    missing: list[NotReported]


class ClusterCheck(TypedDict):
    """A line of `check`."""

    name: str
    result: Literal["ok", "warning", "failed"]
    message: str
    hint: str


class Check(TypedDict):
    """Of the cluster."""

    result: ResultWord
    checks: list[ClusterCheck]


class ClientVersion(TypedDict):
    """Of this program."""

    result: ResultWord
    client: str


class Version(ClientVersion, total=False):
    """Of all; with --client, and where the cluster does not answer, of this program alone."""

    operator: str
    crd: str
    cluster: str


#: By verb, what it prints: one of these, or a Failure.
SHAPES: Mapping[str, tuple[Any, ...]] = {
    "deploy": (Deployed, DryRun),
    "get": (Services,),
    "status": (Status, Statuses, Services),
    "explain": (Explained, ReasonPage),
    "events": (Events,),
    "logs": (Logs,),
    "tree": (Tree,),
    "report": (Report,),
    "diff": (FileDiff, RevisionDiff),
    "history": (History,),
    "rollback": (RolledBack,),
    "promote": (Done,),
    "abort": (Done,),
    "retry": (Done,),
    "pause": (Done,),
    "resume": (Done,),
    "suspend": (Suspended,),
    "unsuspend": (Suspended,),
    "backup create": (Done,),
    "backup verify": (Done,),
    "backup list": (Backups,),
    "restore": (Restored,),
    "eject": (Ejected,),
    "state export": (Manifests,),
    "state import": (Import,),
    "init": (Conversion,),
    "render": (Manifests,),
    "generate rbac": (Manifests,),
    "generate argocd": (Manifests,),
    "generate flux": (Manifests,),
    "preflight": (Preflight,),
    "check": (Check,),
    "version": (Version,),
}
