"""A restore: what is there is stored first, and what was stored comes back. Killed anywhere, it is done again by the same task."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from hardened.runner import replication, swap
from hardened.runner.backup import size_of
from hardened.runner.dump import dump_postgres, dump_redis, reach
from hardened.runner.failures import Failed, Reason
from hardened.runner.postgres import Database
from hardened.runner.programs import Programs
from hardened.runner.report import Outcome, Report
from hardened.runner.repository import Repository, Snapshot, before_restore, of_run
from hardened.runner.task import DUMPS, RestoreTask
from hardened.runner.verify import dump_in, report_of


def restore(task: RestoreTask, repository: Repository, programs: Programs) -> Report:
    """Does the task, and reports; never raises Failed."""
    began = time.monotonic()
    snapshot: Snapshot | None = None
    before: str | None = None
    message, written = "", False
    try:
        reach(task.source, programs)
        if _is_done(task, programs):
            message = f"{Database(programs).name} was restored before; what it was is {swap.kept_name(Database(programs).name, task.run)}"
        else:
            snapshot = _found(task, repository, programs)
            before = _stored_before(task, repository, programs)
            written = True  # or is about to be
            message = _restored(task, snapshot, repository, programs)
        outcome = Outcome("Succeeded", message=message)
    except Failed as failed:
        outcome = Outcome.of(failed)
    return replace(report_of("restore", outcome, began, snapshot, size_of(task.path)), before=before, written=written)


def find(task: RestoreTask, repository: Repository, programs: Programs) -> Report:
    """Looks the snapshot up, as a restore would, and reports it. Raises Failed."""
    began = time.monotonic()
    snapshot = _found(task, repository, programs)
    return report_of("restore", Outcome("Succeeded"), began, snapshot, (0, 0))


def fetch(task: RestoreTask, repository: Repository, programs: Programs) -> Report:
    """Puts what the snapshot holds into the task's folder. Raises Failed."""
    began = time.monotonic()
    snapshot = _found(task, repository, programs)
    _put(task, snapshot, repository)
    return report_of("restore", Outcome("Succeeded"), began, snapshot, size_of(task.path))


def _found(task: RestoreTask, repository: Repository, programs: Programs) -> Snapshot:
    """The snapshot of the task. Raises Failed, also where it is of another source: a dump laid into a volume would take all else away."""
    repository.open()
    snapshot = repository.find(task.tag, task.snapshot, pending=task.pending)
    is_dump = Path(snapshot.root).is_relative_to(programs.scratch)
    if task.source != "command" and is_dump == (task.source == "volume"):
        held, lacks = ("a dump", "files of a volume") if is_dump else ("files of a volume", "dump")
        text = f"snapshot {snapshot.id[:8]} holds {held}, and no {lacks}: the backup had another source when it was made"
        raise Failed(Reason.RESTORE_FAILED, text)
    return snapshot


def _put(task: RestoreTask, snapshot: Snapshot, repository: Repository) -> None:
    """A volume then holds nothing else; the folder of others was emptied before."""
    is_volume = task.source == "volume"
    if not is_volume:
        shutil.rmtree(task.path, ignore_errors=True)
        task.path.mkdir(parents=True, exist_ok=True)
    repository.restore(snapshot, task.path, delete=is_volume)


def _is_done(task: RestoreTask, programs: Programs) -> bool:
    return task.source == "postgres" and task.into is None and swap.is_replaced(Database(programs), task.run)


def _stored_before(task: RestoreTask, repository: Repository, programs: Programs) -> str | None:
    """The snapshot of what is there, or None where nothing is, or nothing is replaced. Raises Failed where it could not be stored.

    Once for each restore: one that was killed has left some of the old data and some of the new.
    """
    known = repository.stored_before(task.tag, task.run) if task.safety and not task.into else None
    if known:
        programs.say(f"what was there is stored as {known.id} already")
        return known.id
    folder = _what_is_there(task, programs) if task.safety else None
    if folder is None or not size_of(folder)[0]:
        return None
    stored = repository.store(folder, task.host, (before_restore(task.tag), of_run(task.run)))
    if stored.missing:
        raise Failed(Reason.UNREADABLE_FILES, f"what is there could not be stored first: {stored.missing}")
    programs.say(f"what is there is stored as {stored.snapshot}")
    return stored.snapshot


def _what_is_there(task: RestoreTask, programs: Programs) -> Path | None:
    if task.source == "volume":
        return task.path
    if task.source == "command" or task.into or (task.source == "postgres" and not swap.exists(Database(programs))):
        return None
    folder = programs.scratch / "before"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    {"postgres": dump_postgres, "redis": dump_redis}[task.source](folder / DUMPS[task.source], programs)
    return folder


def _restored(task: RestoreTask, snapshot: Snapshot, repository: Repository, programs: Programs) -> str:
    if task.scratch_port:
        return replication.replace_by(programs, task.scratch_port)
    programs.say(f"restoring {snapshot.id}")
    _put(task, snapshot, repository)
    if task.source in ("volume", "command"):
        return ""
    dump = dump_in(task.path, task.source)
    if task.source == "redis":
        return replication.replace(programs, dump)
    if task.into:
        return swap.beside(Database(programs), task.into, dump, task.run)
    return swap.replace(Database(programs), dump, task.run)
