"""A backup: what is there is stored, and only then what is old is forgotten, and what a restore has replaced is dropped."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hardened.runner import swap
from hardened.runner.failures import Failed, Reason
from hardened.runner.postgres import Database
from hardened.runner.programs import Programs
from hardened.runner.report import SKIPPED, Outcome, Report
from hardened.runner.repository import Repository, Stored
from hardened.runner.task import BackupTask

#: The file beside the dump that says when it began.
DUMPED_AT = "dumped_at"
#: How long a database that a restore has replaced stays at least.
KEPT = timedelta(days=1)


def back_up(task: BackupTask, repository: Repository, programs: Programs) -> Report:
    """Stores the task's folder, and reports; never raises Failed."""
    began = time.monotonic()
    dumped_at = _dumped_at(task, programs.scratch)
    stored: Stored | None = None
    forget = prune = drop = SKIPPED
    try:
        _check_size(task)
        repository.open(first_run=task.tag if task.init else None)
        stored = repository.store(task.path, task.host, (task.tag, *task.extra_tags))
        if stored.missing:
            raise Failed(Reason.UNREADABLE_FILES, stored.missing)
    except Failed as failed:
        outcome = Outcome.of(failed)
    else:
        outcome = Outcome("Succeeded")
        programs.say(f"stored as {stored.snapshot}")
        forget, prune = _thin_out(task, repository)
        drop = _drop_replaced(task, programs)
    return Report(
        kind="backup",
        outcome=outcome,
        seconds=time.monotonic() - began,
        snapshot=stored.snapshot if stored else None,
        bytes=stored.bytes if stored else 0,
        files=stored.files if stored else 0,
        dumped_at=dumped_at,
        forget=forget,
        prune=prune,
        drop=drop,
    )


def size_of(path: Path) -> tuple[int, int]:
    """The files below a folder, or in a file: how many, and their bytes. What cannot be looked at is left out: restic will name it."""
    if path.is_file():
        return 1, path.stat().st_size
    files = size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                found = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            files += 1
            size += found.st_size
    return files, size


def _check_size(task: BackupTask) -> None:
    if task.dump and not task.dump.is_file():
        raise Failed(Reason.DUMP_EMPTY, f"there is no {task.dump}: the dump was not made, or not to its end")
    if task.source == "volume":
        return  # an empty one is one: that of a service which has not written anything yet
    files, size = size_of(task.dump or task.path)
    if not files or not size:
        raise Failed(Reason.DUMP_EMPTY, f"there is nothing in {task.dump or task.path}")
    if size < task.min_bytes:
        raise Failed(Reason.DUMP_TOO_SMALL, f"{task.dump or task.path} has {size} bytes, fewer than the {task.min_bytes} of minBytes")


def _thin_out(task: BackupTask, repository: Repository) -> tuple[Outcome, Outcome]:
    """How forgetting and pruning went."""
    if task.retention is None:
        return SKIPPED, SKIPPED
    try:
        forget = Outcome("Succeeded", message=repository.forget(task.tag, task.retention, task.keep_tags))
    except Failed as failed:
        return Outcome.of(failed), SKIPPED
    try:
        repository.prune()
    except Failed as failed:
        return forget, Outcome.of(failed)
    return forget, Outcome("Succeeded")


def _drop_replaced(task: BackupTask, programs: Programs) -> Outcome:
    """How it went to drop the databases that restores have replaced: they are stored, too, and are kept for a while to go back at once."""
    if task.source != "postgres" or "PGHOST" not in programs.env:
        return SKIPPED
    try:
        dropped = swap.drop_kept(Database(programs), datetime.now(UTC) - KEPT)
    except Failed as failed:
        return Outcome.of(failed)
    return Outcome("Succeeded", message=f"{', '.join(dropped)} dropped" if dropped else "")


def _dumped_at(task: BackupTask, scratch: Path) -> datetime | None:
    if task.source == "volume":
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat((scratch / DUMPED_AT).read_text().strip())
    except (OSError, ValueError):
        return None
