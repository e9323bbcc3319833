"""A backup into a bucket, in a namespace that closes egress, of a database whose own image dumps it and restores it for a verification."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_backup_verification import verify
from test_backups import NEVER, back_up, database, prepare, until_told

from e2e.actions import phase_of
from e2e.cluster import tools
from e2e.cluster.command import run as call
from e2e.cluster.local.cluster import LocalCluster
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, condition
from e2e.rig import ROOT, Run, running, serve
from e2e.workloads.build import S3_IMAGE, build_part, build_s3, part_name

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.usefixtures("rights")]
PORT = 7070


def stored_in_a_bucket(namespace: str) -> Body:
    source = {"postgres": {"secretName": "db", "scratch": "64Mi", "image": part_name("postgres")}}
    checked = {"schedule": NEVER, "sql": "select count(*) = 1000 from rows", "size": "256Mi", "deadline": "3m"}
    return database(namespace, source=source, repository={"secretName": "restic"}, verify=checked)


async def serve_s3(run: Run, keys: dict[str, str]) -> None:
    """A server of S3 in the namespace, with these keys, and what restic has to know of it."""
    labels = {"app": "s3"}
    container = {
        "name": "s3",
        "image": S3_IMAGE,
        "env": [{"name": name, "value": value} for name, value in keys.items()],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"securityContext": security, "containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]}
    meta: dict[str, Any] = {"name": "s3", "namespace": run.namespace}
    await run.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "labels": labels}, "spec": spec})
    service = {"selector": labels, "ports": [{"port": PORT}]}
    await run.kube.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service})
    access = {"AWS_ACCESS_KEY_ID": keys["ROOT_ACCESS_KEY"], "AWS_SECRET_ACCESS_KEY": keys["ROOT_SECRET_KEY"]}
    told = {"RESTIC_REPOSITORY": f"s3:http://s3:{PORT}/backups", **access}
    await run.kube.patch("Secret", "restic", run.namespace, {"stringData": told})


def policy_of_the_docs(namespace: str) -> Body:
    """The NetworkPolicy for backup pods that docs/operations.md shows."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
    found = [manifest for block in blocks for manifest in yaml.safe_load_all(block) if manifest and manifest.get("kind") == "NetworkPolicy"]
    (policy,) = (manifest for manifest in found if manifest["metadata"]["name"] == "backups")
    return {**policy, "metadata": {**policy["metadata"], "namespace": namespace}}


def test_a_backup_is_stored_in_a_bucket_and_verified_where_only_the_policy_of_the_docs_lets_it_out(
    local: LocalCluster, tmp_path: Path
) -> None:
    async def all_of_it() -> None:
        local.load([build_part("postgres"), build_s3(), ensure_backup_image()])
        async with running(local.kubeconfig, tmp_path, settings={"HARDENED_BACKUP_IMAGE": backup_image_name()}, name="bucket") as run:
            await prepare(run, secrets.token_hex(12))
            await serve_s3(run, {"ROOT_ACCESS_KEY": secrets.token_hex(8), "ROOT_SECRET_KEY": secrets.token_hex(16)})
            await serve(run, stored_in_a_bucket(run.namespace), within=120)
            sql = "create table rows as select n, md5(n::text) as text from generate_series(1, 1000) n"
            kubectl = [str(tools.kubectl()), f"--kubeconfig={local.kubeconfig}", f"--namespace={run.namespace}"]
            await asyncio.to_thread(call, [*kubectl, "exec", "deployment/db-blue", "--", "psql", "-U", "postgres", "-c", sql], timeout=60)

            deny = {"podSelector": {}, "policyTypes": ["Egress"]}
            meta = {"name": "default-deny", "namespace": run.namespace}
            await run.kube.create({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": deny})
            closed = await back_up(run)
            assert phase_of(closed) == "Failed"
            assert closed["status"]["message"].startswith("DumpFailed: container dump ended with exit code 1"), closed["status"]

            await run.kube.create(policy_of_the_docs(run.namespace))
            made = await back_up(run)
            assert phase_of(made) == "Succeeded", made["status"]
            good = await verify(run)
            assert phase_of(good) == "Succeeded", good["status"]
            live = await until_told(run, lambda found: "lastVerification" in found, within=10)
            assert live["status"]["backups"][0]["lastVerification"]["snapshot"] == made["status"]["result"]["snapshot"]
            assert condition(live, "BackedUp")["status"] == "True"

    asyncio.run(all_of_it())
