"""`python -m hardened.runner VERB`: see the package's docstring. Ends with 0 where the run succeeded, and with 1 otherwise."""

import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from hardened.runner.backup import back_up
from hardened.runner.dump import dump
from hardened.runner.failures import Failed, Reason
from hardened.runner.fields import BadTask
from hardened.runner.programs import Programs
from hardened.runner.report import Outcome, Report, rendered
from hardened.runner.repository import Repository
from hardened.runner.restore import fetch, find, restore
from hardened.runner.task import backup_task, restore_task, verify_task
from hardened.runner.verify import verify


def _backup(text: str, programs: Programs) -> Report:
    return back_up(backup_task(text), Repository(programs), programs)


def _verify(text: str, programs: Programs) -> Report:
    return verify(verify_task(text), Repository(programs), programs)


def _restore(text: str, programs: Programs) -> Report:
    return restore(restore_task(text), Repository(programs), programs)


def _find(text: str, programs: Programs) -> Report:
    return find(restore_task(text), Repository(programs), programs)


def _fetch(text: str, programs: Programs) -> Report:
    return fetch(restore_task(text), Repository(programs), programs)


def _dump(text: str, programs: Programs) -> Report:
    return dump(backup_task(text), programs)


VERBS: Mapping[str, Callable[[str, Programs], Report]] = {
    "backup": _backup,
    "dump": _dump,
    "verify": _verify,
    "restore": _restore,
    "find": _find,
    "fetch": _fetch,
}


def main(verb: str, env: Mapping[str, str]) -> int:
    """Runs the verb with the task in `env`, writes the report, and returns the exit status."""
    began = time.monotonic()
    programs = Programs(env, Path(env.get("HARDENED_SCRATCH", "/scratch")))
    programs.heed_sigterm()
    try:
        report = VERBS[verb](env.get("HARDENED_TASK", ""), programs)
    except BadTask as error:
        report = Report(verb, Outcome("Failed", Reason.BAD_TASK, str(error)), time.monotonic() - began)
    except Failed as failed:
        report = Report(verb, Outcome.of(failed), time.monotonic() - began)
    except OSError as error:
        reason = Reason.SCRATCH_FULL if error.errno == errno.ENOSPC else Reason.DUMP_FAILED
        report = Report(verb, Outcome("Failed", reason, f"{error.filename or 'a file'}: {error.strerror}"), time.monotonic() - began)
    if report.outcome.reason:
        programs.say(f"{report.outcome.reason}: {report.outcome.message}")
    Path(env.get("HARDENED_REPORT", "/dev/termination-log")).write_bytes(rendered(report))
    return 0 if report.outcome.result == "Succeeded" else 1


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in VERBS:
        sys.exit(f"usage: python -m hardened.runner {'|'.join(VERBS)}")
    os.umask(0o007)  # what a database holds is for this pod alone; another of its containers may have another user, of the same group
    sys.exit(main(sys.argv[1], os.environ))
