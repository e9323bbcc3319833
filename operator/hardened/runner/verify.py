"""A verification: only what was restored is known to be restorable."""

import shutil
import time
from math import ceil
from pathlib import Path

from hardened.runner import postgres, redis_server
from hardened.runner.backup import size_of
from hardened.runner.failures import Failed, Reason
from hardened.runner.programs import OutOfTime, Programs
from hardened.runner.report import Outcome, Report
from hardened.runner.repository import Repository, Snapshot
from hardened.runner.task import DUMPS, VerifyTask


def verify(task: VerifyTask, repository: Repository, programs: Programs) -> Report:
    """Restores the task's snapshot into its folder, looks at what is there, and reports; never raises Failed."""
    began = time.monotonic()
    snapshot: Snapshot | None = None
    holds = (0, 0)
    try:
        repository.open()
        snapshot = repository.find(task.tag, task.snapshot)
        programs.say(f"restoring {snapshot.id}")
        shutil.rmtree(task.path, ignore_errors=True)
        task.path.mkdir(parents=True, exist_ok=True)
        repository.restore(snapshot, task.path)
        holds = size_of(task.path)
        if not holds[1] and task.source != "volume":
            raise Failed(Reason.ASSERTION_FAILED, "what was restored has no bytes")
        outcome = Outcome("Succeeded", message={"postgres": _postgres, "redis": _redis}.get(task.source, _files)(task, programs, began))
    except Failed as failed:
        outcome = Outcome.of(failed)
    return report_of("verify", outcome, began, snapshot, holds)


def report_of(kind: str, outcome: Outcome, began: float, snapshot: Snapshot | None, holds: tuple[int, int]) -> Report:
    """What came of a run that reads a snapshot. began: as of time.monotonic; holds: what was restored, see size_of."""
    files, size = holds
    stored, dumped_at = (snapshot.id, snapshot.time) if snapshot else (None, None)
    return Report(kind, outcome, time.monotonic() - began, stored, size, files, dumped_at)


def dump_in(path: Path, source: str) -> Path:
    """The dump that was restored into the folder. Raises Failed with RestoreFailed where there is none."""
    dump = path / DUMPS[source]
    if not dump.is_file():
        raise Failed(Reason.RESTORE_FAILED, f"the snapshot has no {dump.name}: it is none of a {source}")
    return dump


def time_to_answer(deadline: int, spent: float) -> int:
    """The seconds that what the user demands may take: it is to be told as its own failure, before the pod is ended by the deadline.

    deadline: of the whole pod, in seconds, of which a quarter, at most 30, is for its start and its report; spent: by this run until now.
    Examples: (3600, 10) -> 3560; (60, 5.5) -> 39; (60, 300) -> 1.
    """
    return max(1, deadline - min(30, deadline // 4) - ceil(spent))


def _postgres(task: VerifyTask, programs: Programs, began: float) -> str:
    dump = dump_in(task.path, task.source)
    with postgres.scratch_server(programs) as database:
        postgres.add_roles(database, dump)
        database.restore(dump, "--no-owner", "--no-privileges")
        if task.sql:
            postgres.assert_true(database, task.sql, time_to_answer(task.deadline, time.monotonic() - began))
        tables, size = database.content()
        if not task.sql and not tables:
            raise Failed(Reason.ASSERTION_FAILED, "the database has no table")
        if not task.sql and not size:
            raise Failed(Reason.ASSERTION_FAILED, f"no table of {tables} has a row")
        _run_command(task, programs, {name: value for name, value in database.env.items() if value}, began)
    return f"{tables} tables, {size} bytes in them"


def _redis(task: VerifyTask, programs: Programs, began: float) -> str:
    with redis_server.scratch_server(programs, dump_in(task.path, task.source)) as client:
        keys = sum(client.keys().values())
        if not keys:
            raise Failed(Reason.ASSERTION_FAILED, "the database has no key")
        _run_command(task, programs, {"REDIS_SOCKET": client.socket}, began)
    return f"{keys} keys"


def _files(task: VerifyTask, programs: Programs, began: float) -> str:
    _run_command(task, programs, {}, began)
    return ""


def _run_command(task: VerifyTask, programs: Programs, env: dict[str, str], began: float) -> None:
    if not task.command:
        return
    within = time_to_answer(task.deadline, time.monotonic() - began)
    try:
        ended = programs.run(task.command, within=within, env=env, cwd=task.path)
    except OutOfTime:
        raise Failed(Reason.ASSERTION_FAILED, f"the command did not end within {within} s") from None
    if ended.code:
        said = " ".join(ended.err.split())[-1000:]
        raise Failed(Reason.ASSERTION_FAILED, f"the command ended with {ended.code}: {said or 'it said nothing'}")
