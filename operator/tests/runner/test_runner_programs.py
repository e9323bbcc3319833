"""How programs are run: with real ones, in a folder of the test's own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hardened.runner.programs import Ended, OutOfTime, Programs

SOURCES = Path(__file__).parents[2]
ENV = {"PATH": os.environ["PATH"], "PGPASSWORD": "hunter2", "HARDENED_TASK": "{}"}


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_a_program_is_told_apart_by_its_status_and_its_last_words_have_no_secret(tmp_path: Path) -> None:
    ended = Programs(ENV, tmp_path).run(sh("echo out; echo the password is $PGPASSWORD >&2; exit 7"))
    assert ended == Ended(7, "out", "the password is ***")


def test_all_that_programs_write_is_in_the_scratch_volume_and_the_task_is_not_theirs(tmp_path: Path) -> None:
    ended = Programs(ENV, tmp_path).run(sh("touch $HOME/a $TMPDIR/b; echo ${HARDENED_TASK-none}"))
    assert ended.out == "none"
    assert [(tmp_path / name).is_file() for name in ("home/a", "tmp/b")] == [True, True]


def test_what_a_program_says_is_bounded(tmp_path: Path) -> None:
    ended = Programs(ENV, tmp_path).run(sh("seq 1 100000 >&2; head -c 100000 /dev/zero | tr '\\0' x >&2"))
    assert len(ended.err) < 5000
    assert "\n100000\nxxx" in ended.err


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert Programs(ENV, tmp_path).run(["no-such-program"]) == Ended(127, "", "no-such-program: not found in this image")


def test_a_program_is_told_what_it_asks_for_and_may_end_before_it_has_read_it(tmp_path: Path) -> None:
    programs = Programs(ENV, tmp_path)
    assert programs.run(["cat"], stdin="hello") == Ended(0, "hello", "")
    assert programs.run(["true"], stdin="x" * 1_000_000) == Ended(0, "", "")


def test_a_program_without_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(OutOfTime, match="began"):
        Programs(ENV, tmp_path).run(sh("echo began >&2; exec sleep 600"), within=1)


def test_sigterm_is_passed_on_and_no_other_program_is_begun(tmp_path: Path) -> None:
    """In a process of its own: signals are the main thread's."""
    script = f"""
import os, signal
from pathlib import Path
from hardened.runner.failures import Failed
from hardened.runner.programs import Programs
programs = Programs(dict(os.environ), Path({str(tmp_path)!r}))
programs.heed_sigterm()
waits = "trap 'echo > {tmp_path}/first; exit 1' TERM; echo running; while :; do sleep 0.01; done"
for script in (waits, "echo > {tmp_path}/second"):
    try:
        programs.run(["sh", "-c", script], on_line=lambda line: print(line, flush=True))
    except Failed as failed:
        print(failed.reason, flush=True)
try:
    programs.pause(600)
except Failed as failed:
    print(failed.reason, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script], env={**ENV, "PYTHONPATH": str(SOURCES)}, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0] == "Interrupted\n" * 3
    assert [(tmp_path / name).exists() for name in ("first", "second")] == [True, False]


def run_verb(tmp_path: Path, *words: str, task: object, path: str = os.environ["PATH"]) -> tuple[int, dict[str, object], str]:
    """The program as a pod runs it: exit status, report, and what it printed."""
    env = {
        "PATH": path,
        "HARDENED_TASK": json.dumps(task),
        "HARDENED_REPORT": str(tmp_path / "report"),
        "HARDENED_SCRATCH": str(tmp_path / "s"),
    }
    env |= {"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1", "RESTIC_PASSWORD": "hunter2"}
    ran = subprocess.run([sys.executable, "-m", "hardened.runner", *words], env=env, capture_output=True, text=True, timeout=60)
    report = tmp_path / "report"
    return ran.returncode, json.loads(report.read_text()) if report.exists() else {}, ran.stdout + ran.stderr


TASK = {"kind": "backup", "source": "command", "host": "shop/db", "tag": "shop/db/nightly"}


def test_a_task_that_cannot_be_used_is_reported(tmp_path: Path) -> None:
    code, report, said = run_verb(tmp_path, "backup", task={**TASK, "tag": "hunter2,x"})
    assert (code, report["reason"], report["message"]) == (1, "BadTask", "tag is missing or out of its bounds")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("files", "more", "reason", "message"),
    [
        pytest.param({}, {}, "DumpEmpty", "there is nothing in", id="no file"),
        pytest.param({"a": b""}, {}, "DumpEmpty", "there is nothing in", id="an empty file"),
        pytest.param({"database.pgdump.partial": b"x"}, {"source": "postgres"}, "DumpEmpty", "not to its end", id="a dump that was cut"),
        pytest.param({"a": b"x" * 99}, {"min_bytes": 100}, "DumpTooSmall", "has 99 bytes, fewer than the 100", id="too small"),
        pytest.param({"a": b"x", "dump.rdb": b"y"}, {"source": "redis", "min_bytes": 2}, "DumpTooSmall", "has 1 bytes", id="a small dump"),
    ],
)
def test_what_is_no_dump_never_reaches_restic(
    files: dict[str, bytes], more: dict[str, object], reason: str, message: str, tmp_path: Path
) -> None:
    """There is no restic in this PATH: the run would fail otherwise."""
    folder = tmp_path / "dump"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    code, report, _ = run_verb(tmp_path, "backup", task={**TASK, "path": str(folder), **more}, path="/nowhere")
    assert (code, report["result"], report["reason"]) == (1, "Failed", reason)
    assert message in str(report["message"])
    assert (report["snapshot"], report["forget"], report["prune"]) == (None, *[{"result": "Skipped", "reason": "", "message": ""}] * 2)


def test_an_image_without_restic_is_said(tmp_path: Path) -> None:
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump/a").write_text("x")
    code, report, _ = run_verb(tmp_path, "backup", task={**TASK, "path": str(tmp_path / "dump")}, path="/nowhere")
    assert (code, report["reason"], report["message"]) == (1, "RepositoryUnreachable", "restic: not found in this image")


@pytest.mark.parametrize("words", [[], ["else"]])
def test_a_verb_that_is_none_is_said(words: list[str], tmp_path: Path) -> None:
    code, report, said = run_verb(tmp_path, *words, task=TASK)
    assert (code, report) == (1, {})
    assert said.startswith("usage: python -m hardened.runner backup|dump|verify|restore|find|fetch")


def test_the_program_loads_nothing_of_hardened_but_its_errors() -> None:
    script = "import sys, hardened.runner.__main__; print(*[name for name in sys.modules if name.startswith('hardened')])"
    ran = subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=True)
    assert {name for name in ran.stdout.split() if not name.startswith("hardened.runner")} == {"hardened", "hardened.errors"}


def test_a_pause_ends_with_sigterm(tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from hardened.runner.programs import Programs
programs = Programs(dict(os.environ), Path({str(tmp_path)!r}))
programs.heed_sigterm()
print("waiting", flush=True)
programs.pause(600)
"""
    env = {**ENV, "PYTHONPATH": str(SOURCES)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], env=env, text=True, **pipes) as process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        assert "Interrupted" in process.communicate(timeout=60)[1]
