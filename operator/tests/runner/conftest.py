"""What tests of the runner stand on: a scratch volume, and programs found as in the image."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runner.pods import Pod, path_in

from e2e.cluster import tools


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A scratch volume. Its path is short: that of a socket in it has 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="run-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def pod(scratch: Path, tmp_path: Path) -> Pod:
    return Pod(scratch, {"PATH": path_in(tmp_path)})


@pytest.fixture
def repository_pod(pod: Pod, tmp_path: Path) -> Pod:
    """One that has restic, and the address and the password of a repository that is not there yet."""
    (tmp_path / "restic").symlink_to(tools.restic())
    return Pod(pod.scratch, {**pod.env, "RESTIC_REPOSITORY": str(tmp_path / "repository"), "RESTIC_PASSWORD": "of-the-repository"})
