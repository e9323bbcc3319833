"""What the platform team allows, from the operator's settings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hardened.api.service import HardenedServiceSpec
from hardened.errors import FieldError


@dataclass(frozen=True)
class Policy:
    """Keys that a service may put on its pods and account. A key is allowed as it stands, or by `prefix/*`; `*` allows every key.

    verifier_image: what the pods run that check new revisions, "" for none; allows_queries: services may ask the operator's Prometheus.
    """

    pod_label_keys: frozenset[str] = frozenset()
    pod_annotation_keys: frozenset[str] = frozenset()
    service_account_annotation_keys: frozenset[str] = frozenset()
    verifier_image: str = ""
    allows_queries: bool = True

    def violations(self, spec: HardenedServiceSpec) -> list[FieldError]:
        """Everything in the spec that is not allowed, by its path."""
        pods, account = spec.pod_metadata, spec.service_account
        return [
            *_refused("spec.podMetadata.labels", "podLabels", (pods and pods.labels) or {}, self.pod_label_keys),
            *_refused("spec.podMetadata.annotations", "podAnnotations", (pods and pods.annotations) or {}, self.pod_annotation_keys),
            *_refused(
                "spec.serviceAccount.annotations",
                "serviceAccountAnnotations",
                (account and account.annotations) or {},
                self.service_account_annotation_keys,
            ),
            *(() if self.allows_queries else _queries(spec)),
        ]


def _queries(spec: HardenedServiceSpec) -> Iterator[FieldError]:
    text = (
        "the operator looks after the whole cluster, and a query could ask for the figures of any namespace; ask the platform team to set "
        "prometheus.shared if teams may see each other's, or use an http, grpc, tcp, load or job check"
    )
    lists = {"beforeCutover": spec.verify.before_cutover, "afterCutover.checks": spec.verify.after_cutover.checks}
    for path, checks in lists.items():
        for index, check in enumerate(checks or ()):
            if check.prometheus:
                yield FieldError(f"spec.verify.{path}[{index}].prometheus", text)


def _refused(path: str, setting: str, keys: Iterable[str], allowed: frozenset[str]) -> list[FieldError]:
    if "*" in allowed:
        return []
    remedy = f"leave it out, or have it added to allowedKeys.{setting} of the operator's chart"
    return [
        FieldError(f"{path}[{key}]", f"the operator's settings do not allow this key: {remedy}")
        for key in keys
        if key not in allowed and f"{key.rpartition('/')[0]}/*" not in allowed
    ]
