"""Advice by the tool that a service comes from."""

from typing import Any

import pytest
from hardenctl_world import SERVICES, FakeCluster, degraded, service, taken_back

from hardenctl.release.next_step import unpinning
from hardened.errors import Vanished


def _by(manager: str, time: str = "2026-01-02T03:04:05Z", **fields: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "time": time, "fieldsV1": {"f:spec": {"f:image": {}} | fields}}


FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
FLUX_HELM = {"helm.toolkit.fluxcd.io/name": "api", "helm.toolkit.fluxcd.io/namespace": "apps"}
HELM = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}
ARGO = {"argocd.argoproj.io/tracking-id": "store:hardened.dev/HardenedService:shop/api"}


@pytest.mark.parametrize(
    ("meta", "command", "how"),
    [
        pytest.param({}, "hardenctl explain api -n shop --context c", "change it with deploy", id="nobody knows"),
        pytest.param({"managedFields": [_by("hardenctl")]}, "hardenctl explain api -n shop --context c", "", id="deploy"),
        pytest.param(
            {"managedFields": [_by("kubectl-client-side-apply")]},
            "kubectl edit hardenedservice api -n shop --context c",
            "change its file and apply it with kubectl",
            id="kubectl",
        ),
        pytest.param(
            {"managedFields": [_by("hardenctl", "2026-01-02T00:00:00Z"), _by("kubectl-edit", "2026-01-03T00:00:00Z")]},
            "kubectl edit hardenedservice api -n shop --context c",
            "",
            id="edited since",
        ),
        pytest.param(
            {"annotations": HELM, "labels": {"app.kubernetes.io/managed-by": "Helm"}, "managedFields": [_by("helm")]},
            "helm get values web -n shop --kube-context c",
            "change the values of the Helm release web, and upgrade it",
            id="Helm",
        ),
        pytest.param({"annotations": ARGO}, "argocd app get store --refresh", "Argo CD's application store", id="Argo CD"),
        pytest.param(
            {"labels": {"argocd.argoproj.io/instance": "old"}}, "argocd app get old --refresh", "application old", id="Argo CD, by label"
        ),
        pytest.param(
            {"labels": FLUX},
            "flux reconcile kustomization apps -n flux-system --with-source --context c",
            "Flux's kustomization apps",
            id="Flux",
        ),
        pytest.param(
            {"labels": FLUX_HELM, "annotations": HELM},
            "flux reconcile helmrelease api -n apps --with-source --context c",
            "Flux's helmrelease api",
            id="Flux, by a chart",
        ),
        pytest.param(
            {"annotations": {"meta.helm.sh/release-name": "x; rm -rf /"}},
            "helm get values 'x; rm -rf /' -n shop --kube-context c",
            "",
            id="what must not run when pasted",
        ),
    ],
)
def test_a_rejection_names_the_way_that_a_change_stays(run: Any, meta: dict[str, Any], command: str, how: str) -> None:
    live = service(status=taken_back())
    live["metadata"] |= meta
    assert f"Next: {command}\n" in run(FakeCluster(live), "status", "api", "--context", "c").stderr
    said = unpinning(live, " --context c")
    assert how in said
    assert said.endswith("; if the version was not the cause: hardenctl retry api -n shop --context c")
    assert "the same spec applied again, labels and replicas release nothing" in said


def test_an_invalid_spec_of_our_own_is_edited_in_place(run: Any) -> None:
    live = service(status=degraded("InvalidSpec", stalled=True))
    assert "Next: kubectl edit hardenedservice api -n shop\n" in run(FakeCluster(live), "status", "api").stderr
    live["metadata"]["labels"] = FLUX
    assert "Next: flux reconcile kustomization apps" in run(FakeCluster(live), "status", "api").stderr


def test_a_namespace_that_does_not_exist_is_named(run: Any) -> None:
    cluster = FakeCluster()
    cluster.objects["/api/v1/namespaces/shop"] = Vanished('namespaces "shop" not found', status=404)
    shown = run(cluster, "status", "api")
    assert shown.exit_code == 1
    assert shown.stderr == "error: there is no namespace shop\nNext: kubectl create namespace shop\n"
    assert SERVICES not in shown.output
