"""What the operator's settings allow, read from its Deployment."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from hardenctl.cluster import installation
from hardenctl.cluster.api_cluster import Cluster
from hardened.core.model.kit import BACKUP_RESOURCES, LOAD_RESOURCES, RESOURCES, Amounts, BackupKit, amounts_of
from hardened.core.model.policy import Policy
from hardened.errors import Refused, Vanished

_IMAGE = "the-image-of-the-operators-settings"
#: Everything, where nobody may read the settings. The image stands in for that of verifiers, and of backups.
UNKNOWN = replace(
    Policy.of_anything(), verifier_image=_IMAGE, backup=BackupKit(_IMAGE), prometheus_url="http://the-address-of-the-operators-settings"
)
_TRUE = ("true", "1", "yes", "on")


def policy(cluster: Cluster) -> Policy:
    """What is allowed; UNKNOWN, where that may not be read. Raises ApiFailure."""
    try:
        found = installation.deployment(cluster)
    except (Refused, Vanished):
        return UNKNOWN
    containers = found["spec"]["template"]["spec"]["containers"] if found else ()
    own = next((each for each in containers if each.get("name") == "operator"), None)
    return policy_of({each["name"]: str(each.get("value", "")) for each in own.get("env") or ()}) if own else UNKNOWN


def policy_of(environ: Mapping[str, str]) -> Policy:
    """What an operator allows that is started with these variables."""

    def items(name: str) -> frozenset[str]:
        return frozenset(item for part in environ.get(f"HARDENED_{name}", "").split(",") if (item := part.strip()))

    def amounts(name: str, default: Amounts) -> Amounts:
        with contextlib.suppress(ValueError):  # an operator with such a setting does not start
            return amounts_of(environ.get(f"HARDENED_{name}", ""), default)
        return default

    return Policy(
        items("POD_LABEL_KEYS"),
        items("POD_ANNOTATION_KEYS"),
        items("SERVICE_ACCOUNT_ANNOTATION_KEYS"),
        environ.get("HARDENED_VERIFIER_IMAGE", "").strip(),
        allows_queries=len(items("NAMESPACES")) == 1 or environ.get("HARDENED_PROMETHEUS_SHARED", "").strip().lower() in _TRUE,
        allows_baseline=(environ.get("HARDENED_ALLOW_BASELINE", "").strip() or "true").lower() in _TRUE,
        service_annotation_keys=items("SERVICE_ANNOTATION_KEYS"),
        service_types=items("SERVICE_TYPES"),
        verifier_pull_secrets=tuple(sorted(items("VERIFIER_PULL_SECRETS"))),
        verifier_resources=amounts("VERIFIER_RESOURCES", RESOURCES),
        load_resources=amounts("LOAD_RESOURCES", LOAD_RESOURCES),
        backup=BackupKit(
            environ.get("HARDENED_BACKUP_IMAGE", "").strip(),
            tuple(sorted(items("BACKUP_PULL_SECRETS"))),
            amounts("BACKUP_RESOURCES", BACKUP_RESOURCES),
            may_restore=environ.get("HARDENED_ALLOW_RESTORE", "").strip().lower() in _TRUE,
        ),
        prometheus_url=environ.get("HARDENED_PROMETHEUS_URL", "").strip(),
        crash_log_lines=int(lines) if (lines := environ.get("HARDENED_CRASH_LOG_LINES", "").strip()).isdecimal() else 0,
    )
