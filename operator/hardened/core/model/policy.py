"""What the platform team allows, from the operator's settings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hardened.api.service import HardenedServiceSpec
from hardened.core.model.kit import LOAD_RESOURCES, RESOURCES, Amounts, BackupKit, Kit
from hardened.errors import FieldError


@dataclass(frozen=True)
class Policy:
    """What a service may ask for.

    Keys of labels and annotations are allowed as they stand, or by `prefix/*`; `*` allows every key. What pods may be annotated with,
    Services may be, too. For the fields of the pods that check see Kit.
    """

    pod_label_keys: frozenset[str] = frozenset()
    pod_annotation_keys: frozenset[str] = frozenset()
    service_account_annotation_keys: frozenset[str] = frozenset()
    verifier_image: str = ""
    allows_queries: bool = True
    """Services may ask the operator's Prometheus."""
    allows_baseline: bool = True
    """security.profile may be baseline."""
    service_annotation_keys: frozenset[str] = frozenset()
    service_types: frozenset[str] = frozenset()
    """Beside ClusterIP and Headless."""
    verifier_pull_secrets: tuple[str, ...] = ()
    verifier_resources: Amounts = field(default_factory=lambda: RESOURCES)
    load_resources: Amounts = field(default_factory=lambda: LOAD_RESOURCES)
    backup: BackupKit = field(default_factory=BackupKit)
    prometheus_url: str = ""
    """Whom KEDA asks for the numbers that services are scaled by, "" for nobody."""
    crash_log_lines: int = 0
    """See Kit.log_lines."""

    @property
    def kit(self) -> Kit:
        """What the pods are made of that check new revisions, and those that make backups."""
        return Kit(
            self.verifier_image, self.verifier_pull_secrets, self.verifier_resources, self.load_resources, self.backup, self.crash_log_lines
        )

    @classmethod
    def of_anything(cls) -> "Policy":
        """Where nobody knows the settings, or they do not matter."""
        every = frozenset("*")
        return cls(every, every, every, service_annotation_keys=every, service_types=frozenset({"NodePort", "LoadBalancer"}))

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
            *_refused(
                "spec.service.annotations",
                "serviceAnnotations",
                spec.service.annotations or {},
                self.pod_annotation_keys | self.service_annotation_keys,
            ),
            *self._refused_type(spec.service.type),
            *(() if self.allows_queries else _queries(spec)),
            *(() if self.allows_baseline else _baseline(spec)),
        ]

    def _refused_type(self, kind: str) -> Iterator[FieldError]:
        if kind not in ("ClusterIP", "Headless", *self.service_types):
            remedy = "use ClusterIP, or have it added to allowedServiceTypes of the operator's chart"
            yield FieldError("spec.service.type", f"the operator's settings do not allow {kind}: {remedy}")


def _baseline(spec: HardenedServiceSpec) -> Iterator[FieldError]:
    if spec.security.profile == "baseline":
        text = "the operator's settings allow only restricted: leave it out, or have allowBaseline set to true in the operator's chart"
        yield FieldError("spec.security.profile", text)


def _queries(spec: HardenedServiceSpec) -> Iterator[FieldError]:
    text = (
        "the operator watches more than one namespace, and a query could read the figures of any; ask the platform team to set "
        "prometheus.shared if teams may see each other's"
    )
    lists = {"beforeCutover": spec.verify.before_cutover, "afterCutover.checks": spec.verify.after_cutover.checks}
    for path, checks in lists.items():
        for index, check in enumerate(checks or ()):
            if check.prometheus:
                yield FieldError(f"spec.verify.{path}[{index}].prometheus", f"{text}, or use an http, grpc, tcp, load or job check")
    if spec.autoscale and spec.autoscale.prometheus:
        yield FieldError("spec.autoscale.prometheus", f"{text}, or scale by cpu or memory")


def _refused(path: str, setting: str, keys: Iterable[str], allowed: frozenset[str]) -> list[FieldError]:
    if "*" in allowed:
        return []
    remedy = f"leave it out, or have it added to allowedKeys.{setting} of the operator's chart"
    return [
        FieldError(f"{path}[{key}]", f"the operator's settings do not allow this key: {remedy}")
        for key in keys
        if key not in allowed and f"{key.rpartition('/')[0]}/*" not in allowed
    ]
