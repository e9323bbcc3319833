"""The image of backup pods has all that a backup, a restore and a verification need, and writes to nothing but its scratch volume."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from e2e.cluster.command import run
from e2e.cluster.docker import docker_answers
from e2e.install import ensure_backup_image

CYCLE = Path(__file__).parent / "backup_cycle.py"


@pytest.mark.servers
def test_the_image_backs_up_restores_and_verifies_as_a_user_without_rights() -> None:
    """It is larger than the rest of the tests by what it builds: three minutes the first time."""
    with tempfile.TemporaryDirectory(prefix="scratch-") as scratch:
        Path(scratch).chmod(0o777)
        identity, *reports = (json.loads(line) for line in output(ensure_backup_image(), scratch).splitlines())
    assert identity == {"user": 10001, "writable": []}
    assert [(report["kind"], report["result"], report["reason"]) for report in reports] == [
        (kind, "Succeeded", "") for kind in ("dump", "backup", "restore", "verify")
    ] * 2
    assert [report["message"] for report in reports if report["kind"] in ("restore", "verify")] == [
        "verify is restored; what it was is verify_before_again", "1 tables, 40960 bytes in them",
        "1 keys are restored", "1 keys",
    ]  # fmt: skip


def output(image: str, scratch: str) -> str:
    """What the cycle prints in a container of the image."""
    mounts = [f"--volume={scratch}:/scratch", f"--volume={CYCLE}:/cycle.py:ro"]
    if docker_answers():
        return run(["docker", "run", "--rm", "--read-only", "--entrypoint=python3", *mounts, image, "/cycle.py"])
    container = run(["buildah", "from", "--pull-never", image]).strip()
    try:
        return run(["buildah", "run", "--isolation=chroot", *mounts, container, "--", "python3", "/cycle.py"])
    finally:
        run(["buildah", "rm", container])
