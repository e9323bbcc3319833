"""Checks of what has to be installed on a cluster for what a service asks for."""

from collections.abc import Iterator

from hardened.api.names import SCHEMA_REVISION
from hardened.api.parse import HardenedService
from hardened.core.hardening.check import Gap, HardeningCheck, live_check
from hardened.core.hardening.surroundings import Surroundings


@live_check(
    "HS084",
    "error",
    "The CRD is that of this version.",
    needs=("crd_schema",),
    cause="A CRD that is older drops fields that it does not know, without an error. The operator tells of it in the condition Hardened.",
    fix="upgrade the chart hardened-operator, which brings both; or use the hardenctl of its version",
    example="helm upgrade hardened-operator charts/hardened-operator -n hardened-system",
)
def crd_is_current(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if not around.crd_schema:
        yield Gap("apiVersion", "the CRD of HardenedService is not installed", "install the chart hardened-operator")
    elif around.crd_schema != SCHEMA_REVISION:
        yield Gap("apiVersion", f"the CRD has schema revision {around.crd_schema}, and this hardenctl {SCHEMA_REVISION}")


@live_check(
    "HS085",
    "error",
    "The operator is at work.",
    needs=("operator_pods",),
    cause="Without it a HardenedService is only written down: nothing is made of it, and nothing is repaired.",
    fix="install the chart hardened-operator, or look at its pods",
    example="hardenctl check",
)
def operator_runs(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if around.operator_pods == 0:
        yield Gap("apiVersion", "no pod of the operator is available")


@live_check(
    "HS086",
    "error",
    "The metrics that it scales by are measured.",
    needs=("has_metrics",),
    cause="An autoscaler by cpu or memory asks the metrics API. Where nobody serves that, the size never changes.",
    fix="install metrics-server",
    example="kubectl top pods -n shop",
)
def metrics_are_served(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    scale = svc.spec.autoscale
    if scale and (scale.cpu or scale.memory) and not around.has_metrics:
        yield Gap("spec.autoscale", "the cluster serves no metrics API")


@live_check(
    "HS087",
    "error",
    "KEDA is there for an autoscaler by Prometheus.",
    needs=("has_keda",),
    cause="autoscale.prometheus is done by KEDA. Without it these metrics are ignored.",
    fix="install KEDA, or scale by cpu or memory",
    example="autoscale: {maxReplicas: 10, cpu: 70}",
)
def keda_is_there(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if svc.spec.autoscale and svc.spec.autoscale.prometheus and not around.has_keda:
        yield Gap("spec.autoscale.prometheus", "the cluster has no KEDA")


@live_check(
    "HS088",
    "error",
    "The operator knows the Prometheus that is asked.",
    needs=("policy",),
    cause="Queries of checks and of autoscale go to the Prometheus of the operator's settings. Where none is set, no query is answered.",
    fix="have prometheus.url set in the operator's chart",
    example="helm upgrade hardened-operator … --set prometheus.url=http://prometheus.monitoring.svc:9090",
)
def prometheus_is_known(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if around.policy and not around.policy.prometheus_url:
        for path in _queries(svc):
            yield Gap(path, "the operator's settings name no Prometheus")


@live_check(
    "HS089",
    "error",
    "The operator's settings allow what it asks for.",
    needs=("policy",),
    cause="The platform team bounds keys of labels and annotations, types of Services, profiles and queries. What is beyond is refused.",
    fix="leave it out, or have it allowed in the operator's chart",
    example="podMetadata: {labels: {team: shop}}   # with allowedKeys.podLabels: [team]",
)
def settings_allow_it(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    for wrong in around.policy.violations(svc.spec) if around.policy else ():
        message, _, fix = wrong.message.partition(": ")
        yield Gap(wrong.path, message, fix)


@live_check(
    "HS090",
    "warn",
    "The cluster decides who may ask for a restore.",
    needs=("has_action_policy",),
    cause="Rights of Kubernetes do not tell one action from another: without the admission policy of the chart, whoever may ask for a "
    "rollback may ask for a restore, which replaces data.",
    fix="have the admission policies of the chart hardened-operator installed",
    example="kubectl get validatingadmissionpolicies",
)
def actions_are_told_apart(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if svc.spec.backups and not around.has_action_policy:
        yield Gap("spec.backups", "no admission policy tells actions apart")


def _queries(svc: HardenedService) -> Iterator[str]:
    verify = svc.spec.verify
    for where, checks in (("beforeCutover", verify.before_cutover), ("afterCutover.checks", verify.after_cutover.checks)):
        yield from (f"spec.verify.{where}[{index}].prometheus" for index, each in enumerate(checks or ()) if each.prometheus)
    if svc.spec.autoscale and svc.spec.autoscale.prometheus:
        yield "spec.autoscale.prometheus"


INSTALLATION: tuple[HardeningCheck, ...] = (
    crd_is_current,
    operator_runs,
    metrics_are_served,
    keda_is_there,
    prometheus_is_known,
    settings_allow_it,
    actions_are_told_apart,
)
