"""What the platform team allows, from the operator's settings."""

from collections.abc import Iterable
from dataclasses import dataclass

from hardened.api.service import HardenedServiceSpec
from hardened.errors import FieldError


@dataclass(frozen=True)
class Policy:
    """Keys that a service may put on its pods and account. A key is allowed as it stands, or by `prefix/*`; `*` allows every key.

    verifier_image: what the pods run that check new revisions, "" for none.
    """

    pod_label_keys: frozenset[str] = frozenset()
    pod_annotation_keys: frozenset[str] = frozenset()
    service_account_annotation_keys: frozenset[str] = frozenset()
    verifier_image: str = ""

    def violations(self, spec: HardenedServiceSpec) -> list[FieldError]:
        """Every key of the spec that is not allowed, by its path."""
        pods, account = spec.pod_metadata, spec.service_account
        return [
            *_refused("spec.podMetadata.labels", (pods and pods.labels) or {}, self.pod_label_keys),
            *_refused("spec.podMetadata.annotations", (pods and pods.annotations) or {}, self.pod_annotation_keys),
            *_refused("spec.serviceAccount.annotations", (account and account.annotations) or {}, self.service_account_annotation_keys),
        ]


def _refused(path: str, keys: Iterable[str], allowed: frozenset[str]) -> list[FieldError]:
    if "*" in allowed:
        return []
    return [
        FieldError(f"{path}[{key}]", "the operator's settings do not allow this key; ask the platform team to add it to the allow-list")
        for key in keys
        if key not in allowed and f"{key.rpartition('/')[0]}/*" not in allowed
    ]
