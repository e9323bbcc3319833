"""`hardenctl report` on a real cluster: the bundle of a service that serves, and nothing secret in it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tarfile
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from e2e.releases import released, until_no_release
from e2e.rig import running, serve

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

SECRET = "Q8SECRETZ"


def unpacked(archive: Path) -> dict[str, str]:
    with tarfile.open(archive) as tar:
        return {each.name.partition("/")[2]: tar.extractfile(each).read().decode() for each in tar.getmembers()}  # type: ignore[union-attr]


def test_a_support_bundle_has_everything_but_what_is_secret(kubeconfig: Path, tmp_path: Path) -> None:
    async def act() -> None:
        async with running(kubeconfig, tmp_path, name="report") as run:
            variables = [{"name": "DB_PASSWORD", "value": SECRET}, {"name": "LINGER", "value": "0"}]
            files = [{"mountPath": "/etc/web", "data": {"settings.toml": f"key = '{SECRET}'\n"}}]
            await serve(run, released(run.namespace, "v1", env=variables, files=files, replicas=1))
            await until_no_release(run)
            target = tmp_path / "web.tar.gz"
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hardenctl", "report", "web", "-n", run.namespace, "-f", str(target), "-o", "json"),
                stdout=PIPE,
                stderr=PIPE,
                env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            )
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            told, found = json.loads(out), await asyncio.to_thread(unpacked, target)
            assert told["missing"] == []
            assert {each["path"] for each in told["files"]} | {"manifest.json"} == set(found)
            kinds = ("ControllerRevision", "ConfigMap", "Deployment", "Service", "NetworkPolicy", "ServiceAccount")
            assert {"service.yaml", "pods.yaml", "events.yaml", *(f"children/{kind}.yaml" for kind in kinds)} <= set(found)
            assert any(name.startswith("logs/web-blue-") for name in found)
            assert not [name for name, text in found.items() if SECRET in text]
            hidden = {each["path"]: each["redactions"] for each in told["files"]}
            assert hidden["service.yaml"] >= 3
            assert hidden["children/ControllerRevision.yaml"] >= 3
            assert hidden["children/ConfigMap.yaml"] >= 1

    asyncio.run(act())
