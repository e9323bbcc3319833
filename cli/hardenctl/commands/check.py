"""`check`: whether this cluster and these credentials can run hardened services."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hardenctl.cluster import installation
from hardenctl.cluster.paths import ACCESS_REVIEWS, CRD_NAME, METRICS, VERSION
from hardenctl.cluster.session import Session
from hardenctl.output.console import Mark
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.output.program import PROG
from hardened.api import names
from hardened.errors import ApiFailure, Refused, Vanished

OUTPUTS = ("json", "yaml")
EXAMPLES = ("check", "check --context staging -n shop   # another cluster, rights in namespace shop", "check -o json")
MORE = "Exits 1 if anything is marked ×, 5 if the cluster does not answer. ‼ is a warning, and stops no deployment."  # noqa: RUF001 - the sign

OLDEST = (1, 30)
_VERBS = ("get", "list", "watch", "create", "patch")
_TO_DEPLOY = ("create", "patch")


@dataclass(frozen=True)
class ClusterFinding:
    """One line."""

    name: str
    """Of what was checked."""
    result: str
    """ok, warning or failed."""
    message: str
    """What was found."""
    hint: str = ""
    """What to do about it, "" for nothing."""
    is_unanswered: bool = False
    """The cluster did not say."""


_MARKS = {"ok": Mark.GOOD, "warning": Mark.WARNING, "failed": Mark.BAD}
ClusterCheck = Callable[[Session], ClusterFinding]


def run(session: Session) -> Exit:
    """Prints each finding as soon as it is there."""
    console, found, is_answered = session.console, [], True
    for finding in findings(session):
        found.append(finding)
        is_answered = is_answered and not finding.is_unanswered
        if not console.output:
            console.print(f"{console.mark(_MARKS[finding.result])} {finding.name.ljust(9)}  {finding.message}")
            if finding.hint:
                console.print(f"{' ' * 13}{finding.hint}")
    results = {finding.result for finding in found}
    result = ResultWord.FAILED if "failed" in results else ResultWord.WARNINGS if "warning" in results else ResultWord.OK
    if console.output:
        console.data({"result": str(result), "checks": [_data(finding) for finding in found]})
    elif result is not ResultWord.FAILED:
        console.advise(f"{PROG} deploy NAME --image IMAGE{session.cluster_flags}")
    if not is_answered:
        return Exit.UNANSWERED
    return Exit.FAILED if result is ResultWord.FAILED else Exit.OK


def _data(finding: ClusterFinding) -> dict[str, str]:
    return {"name": finding.name, "result": finding.result, "message": finding.message, "hint": finding.hint}


def findings(session: Session) -> Iterator[ClusterFinding]:
    """Every check's finding, in order. Without an answer from the cluster the others cannot say anything."""
    first = cluster_answers(session)
    yield first
    if first.result == "failed" and "is older than" not in first.message:
        return
    for check in (rights_are_given, crd_is_there, operator_runs, metrics_are_served):
        try:
            yield check(session)
        except ApiFailure as error:
            yield ClusterFinding(check.__name__.split("_")[0], "failed", f"the cluster did not say: {error}")


def cluster_answers(session: Session) -> ClusterFinding:
    """The API server answers, and is recent enough."""
    try:
        version = str(session.cluster.get(VERSION).get("gitVersion", ""))
    except ApiFailure as error:
        from hardenctl.cluster.failures import explained

        stop = explained(error, "get", session.namespace, session.cluster_flags)
        text = f"{stop.message} (context {session.cluster.context})"
        return ClusterFinding("cluster", "failed", text, stop.hint, stop.code == Exit.UNANSWERED)
    where = f"{version} at {session.cluster.server} (context {session.cluster.context})"
    number = re.match(r"v?(\d+)\.(\d+)", version)
    if number and (int(number[1]), int(number[2])) < OLDEST:
        return ClusterFinding("cluster", "failed", f"{where} is older than {OLDEST[0]}.{OLDEST[1]}", "upgrade the cluster")
    return ClusterFinding("cluster", "ok", where)


def rights_are_given(session: Session) -> ClusterFinding:
    """The caller may read and write hardened services in the namespace."""
    missing = [verb for verb in _VERBS if not _may(session, verb)]
    where = f"hardened services in namespace {session.namespace}"
    hint = f"ask for a Role that allows {', '.join(missing)} on {names.PLURAL}.{names.GROUP}"
    if not missing:
        return ClusterFinding("rights", "ok", f"you may deploy and watch {where}")
    if set(missing) <= set(_TO_DEPLOY):
        return ClusterFinding("rights", "warning", f"you may read {where}, but not deploy them", hint)
    return ClusterFinding("rights", "failed", f"you may not {', '.join(missing)} {where}", hint)


def _may(session: Session, verb: str) -> bool:
    attributes = {"namespace": session.namespace, "verb": verb, "group": names.GROUP, "resource": names.PLURAL}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return bool((session.cluster.create(ACCESS_REVIEWS, review).get("status") or {}).get("allowed"))


def crd_is_there(session: Session) -> ClusterFinding:
    """The CRD is the one that this program was built with."""
    from hardened.api.names import SCHEMA_REVISION

    found = installation.crd(session.cluster)
    if not found.is_installed:
        return ClusterFinding(
            "crd", "failed", "the CRD of HardenedService is not installed", "install the operator; its chart brings the CRD"
        )
    if not found.is_known:
        return ClusterFinding("crd", "warning", found.version)
    if not found.is_established:
        step = f"kubectl describe crd {CRD_NAME}{session.cluster_flags}"
        return ClusterFinding("crd", "failed", "the API server has not accepted the CRD", step)
    if found.revision != SCHEMA_REVISION:
        text = f"{found.version}; this program was built with {SCHEMA_REVISION}"
        return ClusterFinding("crd", "warning", text, "bring the CRD, the operator and hardenctl to the same version")
    return ClusterFinding("crd", "ok", found.version)


def operator_runs(session: Session) -> ClusterFinding:
    """At least one pod of the operator is available."""
    found = installation.operator(session.cluster)
    if not found.is_known:
        return ClusterFinding("operator", "warning", found.version)
    if not found.is_installed:
        return ClusterFinding("operator", "failed", "the operator is not installed", "install its chart: nothing happens without it")
    text = f"{found.version} in {found.where}, {found.available} of {found.wanted} pods available"
    if not found.available:
        namespace, name = found.where.split("/")
        return ClusterFinding("operator", "failed", text, f"kubectl logs -n {namespace} deployment/{name}{session.cluster_flags}")
    return ClusterFinding("operator", "ok" if found.available >= found.wanted else "warning", text)


def metrics_are_served(session: Session) -> ClusterFinding:
    """The resource metrics API: autoscaling by CPU and memory reads it."""
    try:
        session.cluster.get(METRICS)
    except (Vanished, Refused):
        return ClusterFinding(
            "metrics", "warning", "no resource metrics API", "install metrics-server: autoscaling and kubectl top need it"
        )
    except ApiFailure as error:
        return ClusterFinding("metrics", "warning", f"the resource metrics API does not work: {error}", "check the metrics-server's pods")
    return ClusterFinding("metrics", "ok", "the resource metrics API is served")
