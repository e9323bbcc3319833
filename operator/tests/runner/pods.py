"""Programs as a backup pod has them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import tools
from e2e.servers import POSTGRES, REDIS
from hardened.core.desired.postgres_programs import SERVE
from hardened.runner.backup import back_up
from hardened.runner.dump import dump
from hardened.runner.programs import Programs
from hardened.runner.report import Report
from hardened.runner.repository import Repository
from hardened.runner.task import BackupTask

#: Where `hardened` is imported from.
SOURCES = Path(__file__).parents[2]
TAG = "shop/db/nightly"


def path_in(folder: Path) -> str:
    """PATH as in the image, by links in that folder: Debian keeps PostgreSQL's programs apart, and gives Redis's server another name."""
    (folder / "redis-server").symlink_to(REDIS)
    return f"{folder}:{POSTGRES}:{os.environ['PATH']}"


class Pod:
    """Makes `Programs` as a pod has them, with variables of its own."""

    def __init__(self, scratch: Path, env: Mapping[str, str]) -> None:
        self.scratch = scratch
        self.env = env

    def programs(self, **more: str) -> Programs:
        return Programs({**self.env, **more}, self.scratch)


def task_of(data: Path, **more: Any) -> BackupTask:
    plain = BackupTask("volume", data, "shop/db", TAG, 0, None, (), (), init=True)
    return replace(plain, **more)


class Service:
    """A service with a backup, whose pods are made by `pod`."""

    def __init__(self, pod: Pod, data: Path) -> None:
        self.pod, self.data = pod, data

    def back_up(self, reach: float = 60, patience: float = 60, env: dict[str, str] | None = None, **more: Any) -> Report:
        programs = self.pod.programs(**(env or {}))
        repository = Repository(programs, reach=reach, patience=patience, less_patience=patience, spread=0)
        return back_up(task_of(self.data, **more), repository, programs)

    def repository(self, **env: str) -> Repository:
        return Repository(self.pod.programs(**env), reach=60, patience=60, less_patience=60, spread=0)

    def restic(self, *words: str) -> subprocess.CompletedProcess[str]:
        """restic by hand."""
        return subprocess.run(["restic", *words], env=dict(self.pod.programs().env), capture_output=True, text=True)

    def snapshots(self, tag: str = TAG) -> list[dict[str, Any]]:
        return list(json.loads(self.restic("snapshots", "--json", f"--tag={tag}", "--no-lock").stdout))

    @property
    def folder(self) -> Path:
        return Path(self.pod.env["RESTIC_REPOSITORY"])


def dumped(service: Service, source: str, **env: str) -> Report:
    """A backup of a database: its dump, and what is stored of it."""
    programs = service.pod.programs(**env)
    task = task_of(service.data, source=source)
    assert dump(task, programs).outcome.result == "Succeeded"
    report = back_up(task, service.repository(), programs)
    assert (report.outcome.result, report.dumped_at is None) == ("Succeeded", False)
    return report


@contextmanager
def programs_of_another_image(folder: Path, path: str, *user: str) -> Iterator[None]:
    """What the container of the source's image runs, whose PATH is this. user: what a command begins with to have another user."""
    folder.parent.chmod(0o777)
    with subprocess.Popen([*user, "sh", "-c", SERVE, str(folder)], env={"PATH": path}) as process:
        yield
        process.terminate()


def bare_pod(pod: Pod, folder: Path, calls: Path) -> Pod:
    """The pod beside such a container: of PostgreSQL's programs it has psql alone. folder: for its PATH."""
    folder.mkdir()
    for name, found in (("psql", POSTGRES / "psql"), ("restic", tools.restic())):
        (folder / name).symlink_to(found)
    return Pod(pod.scratch, {**pod.env, "PATH": str(folder), "HARDENED_POSTGRES": str(calls)})


@contextmanager
def heeding_sigterm(programs: Programs) -> Iterator[None]:
    """What this process is told is told to them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    programs.heed_sigterm()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Programs that are begun meanwhile have the rights of their user alone, also where that is root."""
    if os.geteuid():
        yield
        return
    real = subprocess.Popen

    class Bounded(real):  # type: ignore[type-arg, misc, valid-type]
        def __init__(self, argv: list[str], **more: Any) -> None:
            super().__init__(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", *argv], **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hardened.runner.programs.subprocess.Popen", Bounded)
        yield


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A disk of that size in an empty folder, for as long as this lasts."""
    if os.geteuid():
        pytest.skip("only root may mount a disk")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
