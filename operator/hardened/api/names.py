"""Names and labels: every key that Hardened writes on an object is spelt here, once."""

import hashlib

GROUP = "hardened.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "HardenedService"
PLURAL = "hardenedservices"
SINGULAR = "hardenedservice"
ACTION_KIND = "HardenedServiceAction"
ACTION_PLURAL = "hardenedserviceactions"
ACTION_SINGULAR = "hardenedserviceaction"

#: Without `replicas` and `autoscale.minReplicas`: one pod is none while its node is drained. hardenctl reads it without the models.
DEFAULT_REPLICAS = 2

#: Written on the CRD and read at start: tells an operator, or a CLI, that the CRD on the cluster is older or newer than itself.
SCHEMA_REVISION = "15"
SCHEMA_ANNOTATION = f"{GROUP}/schema-revision"

#: The server-side-apply field manager of the operator. The CLI uses `hardenctl`.
MANAGER = "hardened"
MANAGED_BY = "hardened"

#: Labels and annotations that say what the operator itself knows of an object: nobody sets them by a spec.
RESERVED_PREFIXES = (f"{GROUP}/", "app.kubernetes.io/")

SERVICE_LABEL = f"{GROUP}/service"
COLOR_LABEL = f"{GROUP}/color"
REVISION_LABEL = f"{GROUP}/revision"
NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
VERSION_LABEL = "app.kubernetes.io/version"
#: Kubernetes' own, on a ReplicaSet and its pods.
TEMPLATE_HASH_LABEL = "pod-template-hash"

#: Digest of the manifest as it was last applied: tells that a field which is no longer wanted must be given up.
APPLIED_ANNOTATION = f"{GROUP}/applied"

#: Selects, on the server, everything that the operator made.
CHILD_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"

#: The pods that check new revisions, as a component and as the server selects them.
VERIFIER = "verifier"
VERIFIER_SELECTOR = f"{CHILD_SELECTOR},{COMPONENT_LABEL}={VERIFIER}"

#: The pods that make backups, as a component; and the label that says which backup of the service it is.
BACKUP = "backup"
BACKUP_LABEL = f"{GROUP}/backup"
#: What the run of a backup's pod is for, where it is not that backup itself; and the values that it has: it is verified, or restored, or
#: what is to be restored is looked up.
RUN_LABEL = f"{GROUP}/run"
VERIFY = "verify"
RESTORE = "restore"
FIND = "find"
#: On a pod that runs an image of others: its /etc/passwd, for programs that ask for the name of their user.
USERS_ANNOTATION = f"{GROUP}/users"
#: All pods that are watched, as the server selects them. The application's are listed when somebody asks.
WATCHED_PODS = f"{CHILD_SELECTOR},{COMPONENT_LABEL} in ({VERIFIER}, {BACKUP})"

#: On a stored revision: the number of its last promotion, the key that it passed its checks under, and why which keys were rejected.
PROMOTION_ANNOTATION = f"{GROUP}/promotion"
PROMOTED_KEY_ANNOTATION = f"{GROUP}/promoted-key"
REJECTED_ANNOTATION = f"{GROUP}/rejected"

#: On a stored revision: the release that ran its migration last, and how that is undone.
MIGRATION_ANNOTATION = f"{GROUP}/migration"
#: On a pod that runs a migration, or undoes one: it is never interrupted, and never made twice.
ONCE_ANNOTATION = f"{GROUP}/runs-once"
#: The same as a label, by which its budget selects it.
ONCE_LABEL = ONCE_ANNOTATION

#: On a Deployment: the release that last led traffic to it; on a Service and a stored revision: the one that last led traffic back from it,
#: or gave it up. Whoever still means to write them, by what was so before, is told that they have changed.
EPOCH_ANNOTATION = f"{GROUP}/serving-epoch"

#: On a Service that was there before, by a person: the HardenedService of this name may take it over. And by the operator, once it has:
#: what the Service was like, so that clients can be led back.
ADOPT_ANNOTATION = f"{GROUP}/adopt"
ADOPTED_ANNOTATION = f"{GROUP}/adopted-from"

#: On a CronJob: a digest of what its containers ask for, where a LimitRange lets them ask for no more, or no less.
FITTED_ANNOTATION = f"{GROUP}/fitted"

#: On a Deployment: the uid of the action whose hold keeps it without pods; in its template, the gate by which no pod of it is scheduled.
HOLD_ANNOTATION = f"{GROUP}/hold"
HOLD_GATE = HOLD_ANNOTATION

BLUE = "blue"

#: Bound on metadata.name of a HardenedService: leaves room for suffixes within 63 characters.
NAME_LIMIT = 40
#: A Service carries the name too, and is pickier than other kinds.
NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
NAME_MESSAGE = "lower case letters, digits and dashes, beginning with a letter and not ending with a dash: it becomes the name of a Service"
_LABEL_LIMIT = 63
#: A CronJob puts 11 characters behind its name for each of its Jobs.
CRON_JOB_LIMIT = 52


def child_name(service: str, *parts: str, limit: int = _LABEL_LIMIT) -> str:
    """The name of a child: parts joined by `-`, at most `limit` characters.

    Two different inputs never share a name: one that has to be cut, or that another service could read as its own because
    its parts hold a dash, carries eight hex digits of the whole.
    Examples: ("shop", "blue") -> "shop-blue"; ("a", "b-green") -> "a-b-green-" and 8 digits, since ("a-b", "green") -> "a-b-green";
    a 70-character result -> its first 54 characters, "-", 8 digits.
    """
    name = "-".join((service, *parts))
    if len(name) <= limit and len(parts) <= 1 and not any("-" in part for part in parts):
        return name
    digest = hashlib.sha256("/".join((service, *parts)).encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"
