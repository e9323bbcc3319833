"""`make install` on what an earlier one, or somebody's hand, left half done."""

from __future__ import annotations

import subprocess
import time

import pytest

from e2e.cluster import tools
from e2e.cluster.command import run
from e2e.cluster.local.cluster import LocalCluster
from e2e.install import CHART, CRD_NAME, NAMESPACE, RELEASE, install, release_status

#: Seconds until a helm that was started has written its release.
BEGUN_SECONDS = 60.0


def helm(local: LocalCluster) -> list[str]:
    return [str(tools.helm()), "--kubeconfig", str(local.kubeconfig), "--namespace", NAMESPACE]


def killed_at_work(local: LocalCluster) -> str:
    """A helm that waits for pods that cannot start gets SIGKILL. The status that its release is left in."""
    image = ["--set-string=image.repository=registry.invalid/none", "--set-string=image.tag=v1"]
    process = subprocess.Popen([*helm(local), "upgrade", "--install", RELEASE, str(CHART), "--wait", *image], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + BEGUN_SECONDS
        while not (status := release_status(helm(local))).startswith("pending-"):
            assert time.monotonic() < end, "helm has not begun"
        return status
    finally:
        process.kill()
        process.wait()


@pytest.mark.full
@pytest.mark.usefixtures("rights")
def test_what_a_killed_helm_or_a_deleted_crd_left_is_brought_up_again(local: LocalCluster) -> None:
    idle = ("--set", "replicas=0")
    try:
        assert killed_at_work(local) == "pending-upgrade"
        install(local, helm_args=idle)
        assert release_status(helm(local)) == "deployed"

        run([*helm(local), "uninstall", RELEASE, "--wait"])
        assert killed_at_work(local) == "pending-install"
        install(local, helm_args=idle)
        assert release_status(helm(local)) == "deployed"

        kubectl = [str(tools.kubectl()), "--kubeconfig", str(local.kubeconfig)]
        run([*kubectl, "delete", "customresourcedefinition", CRD_NAME])
        install(local, helm_args=idle)
        run([*kubectl, "wait", "--for=condition=Established", f"customresourcedefinition/{CRD_NAME}", "--timeout=30s"])
    finally:
        install(local, helm_args=idle)
