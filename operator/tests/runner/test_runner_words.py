"""What a runner is told, what it says, and what programs' words mean: none of it needs a program."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardened.runner.dump import refuse_newer
from hardened.runner.failures import Failed, Reason
from hardened.runner.fields import BadTask
from hardened.runner.redaction import redacted, secrets_of
from hardened.runner.report import LIMIT, Outcome, Report, rendered
from hardened.runner.task import backup_task, restore_task, verify_task
from hardened.runner.verify import time_to_answer
from hardened.runner.wording import failure_of, last_words

TASK: dict[str, Any] = {"kind": "backup", "source": "volume", "path": "/data", "host": "shop/db", "tag": "shop/db/nightly"}


def test_a_task_is_read() -> None:
    more = {"min_bytes": 9, "init": True, "extra_tags": ["revision-3"], "keep_tags": ["revision-2"], "retention": {"last": 3, "daily": 0}}
    task = backup_task(json.dumps(TASK | more))
    assert (task.source, str(task.path), task.host, task.tag, task.min_bytes) == ("volume", "/data", "shop/db", "shop/db/nightly", 9)
    assert (task.retention, task.extra_tags, task.keep_tags, task.init) == ({"last": 3}, ("revision-3",), ("revision-2",), True)


def test_what_is_left_out_forgets_nothing_and_makes_no_repository() -> None:
    task = backup_task(json.dumps(TASK | {"retention": None}))
    assert (task.retention, task.init, task.min_bytes, task.keep_tags) == (None, False, 0, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "the task is no JSON document", id="nothing"),
        pytest.param("[" * 100_000, "the task is no JSON document", id="too deep"),
        pytest.param("[]", "the task is no object", id="no object"),
        pytest.param({"kind": "restore"}, "kind is missing", id="another kind"),
        pytest.param({"source": "mysql"}, "source is missing", id="an unknown source"),
        pytest.param({"path": "data"}, "path is missing", id="a path from somewhere"),
        pytest.param({"tag": "a,b"}, "tag is missing", id="two tags in one"),
        pytest.param({"tag": "-x"}, "tag is missing", id="an option as a tag"),
        pytest.param({"host": None}, "host is missing", id="no host"),
        pytest.param({"min_bytes": -1}, "min_bytes is missing", id="less than nothing"),
        pytest.param({"min_bytes": True}, "min_bytes is missing", id="a truth is no number"),
        pytest.param({"keep_tags": "revision-1"}, "keep_tags is missing", id="no list"),
        pytest.param({"keep_tags": ["a,b"]}, "keep_tags is missing", id="two tags in one of a list"),
        pytest.param({"retention": {}}, "retention keeps nothing", id="a retention that keeps nothing"),
        pytest.param({"retention": {"daily": 0}}, "retention keeps nothing", id="a retention of noughts"),
        pytest.param({"retention": {"last": -1}}, "retention.last is missing", id="all of them, to restic"),
        pytest.param({"retention": {"last": 1, "weekday": 1}}, "retention has a field that is not known", id="an unknown period"),
        pytest.param({"init": "no"}, "init is missing", id="a word is no truth"),
        pytest.param({"password": "hunter2"}, "the task has a field that is not known", id="an unknown field"),
    ],
)
def test_a_task_that_cannot_be_used_names_the_field(text: Any, said: str) -> None:
    with pytest.raises(BadTask) as caught:
        backup_task(text if isinstance(text, str) else json.dumps(TASK | text))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


TEXT = st.builds(str.__mul__, st.text(st.characters(codec=None), max_size=9), st.integers(0, 900))
OUTCOMES = st.builds(Outcome, st.sampled_from(["Succeeded", "Failed", "Skipped"]), st.sampled_from(["", *Reason]), TEXT)


@given(OUTCOMES, OUTCOMES, OUTCOMES, OUTCOMES)
def test_a_report_fits_and_says_every_result(outcome: Outcome, forget: Outcome, prune: Outcome, drop: Outcome) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
    text = rendered(Report("backup", outcome, 12.345, "f" * 64, 2**63, 2**63, moment, forget, prune, drop))
    assert len(text) <= LIMIT
    report = json.loads(text)
    for found, step in ((report, outcome), (report["forget"], forget), (report["prune"], prune), (report["drop"], drop)):
        assert (found["result"], found["reason"]) == (step.result, step.reason)
        assert step.message.startswith(found["message"])
    assert (report["snapshot"], report["seconds"], report["dumped_at"]) == ("f" * 64, 12.3, "2026-01-02T03:04:05.678Z")


def test_a_short_message_is_not_cut_for_a_long_one() -> None:
    report = json.loads(rendered(Report("backup", Outcome("Failed", Reason.DUMP_EMPTY, "short"), forget=Outcome("Failed", "", "x" * 9000))))
    assert report["message"] == "short"
    assert 700 <= len(report["forget"]["message"]) < 9000


def test_the_report_of_a_dump_is_short() -> None:
    assert json.loads(rendered(Report("dump", Outcome("Succeeded"), 0.5))) == {
        "kind": "dump", "result": "Succeeded", "reason": "", "message": "", "seconds": 0.5, "dumped_at": None,
    }  # fmt: skip


EXIT = '{"message_type":"exit_error","code":%d,"message":"Fatal: %s"}'


@pytest.mark.parametrize(
    ("code", "err", "reason", "message"),
    [
        pytest.param(10, EXIT % (10, "repository does not exist"), Reason.REPOSITORY_MISSING, "repository does not exist", id="missing"),
        pytest.param(11, "repo already locked\nFatal: locked by PID 1", Reason.REPOSITORY_LOCKED, None, id="locked"),
        pytest.param(
            130, "Stat: The specified bucket does not exist.", Reason.REPOSITORY_MISSING, "the bucket does not exist", id="bucket"
        ),
        pytest.param(12, EXIT % (12, "wrong password or no key found"), Reason.WRONG_PASSWORD, "wrong password or no key found", id="key"),
        pytest.param(130, "", Reason.INTERRUPTED, "restic ended with 130 and said nothing", id="interrupted"),
        pytest.param(1, "Fatal: write /repo/tmp: no space left on device", Reason.REPOSITORY_FULL, None, id="full"),
        pytest.param(1, "Fatal: write /scratch/tmp/x: no space left on device", Reason.SCRATCH_FULL, None, id="our own volume is full"),
        pytest.param(1, "dial tcp 127.0.0.1:1: connect: connection refused", Reason.REPOSITORY_UNREACHABLE, None, id="nobody there"),
        pytest.param(1, "Fatal: an empty password is not allowed by default", Reason.WRONG_PASSWORD, None, id="no password"),
        pytest.param(1, "Fatal: the moon is in the way", Reason.REPOSITORY_FAILED, "the moon is in the way", id="anything else"),
        pytest.param(-9, "", Reason.REPOSITORY_FAILED, "restic ended with -9 and said nothing", id="killed"),
    ],
)
def test_what_restic_says_becomes_a_reason(code: int, err: str, reason: Reason, message: str | None) -> None:
    failed = failure_of(code, err, scratch="/scratch")
    assert failed.reason == reason
    assert message is None or failed.message == message


def test_what_restic_says_of_being_ended_is_no_cause() -> None:
    ours = "\x1b[2Ksignal terminated received, cleaning up\nFatal: unable to open config file: context canceled\n"
    assert last_words(f"{ours}Is there a repository at s3:x?\n") == "Is there a repository at s3:x?"


def test_the_last_words_are_those_of_the_end_and_not_of_what_was_tried_before() -> None:
    err = 'retrying after 1s\n{"message_type":"error"}\n' + EXIT % (1, "gone\\n  for good") + "\n"
    assert last_words(err) == "gone for good"
    assert last_words("one\n\ntwo\n") == "one two"


@pytest.mark.parametrize(
    ("env", "text", "shown"),
    [
        pytest.param({"RESTIC_PASSWORD": "hunter2"}, "no hunter2 here", "no *** here", id="a password"),
        pytest.param({"AWS_SECRET_ACCESS_KEY": "abc", "PGPASSWORD": "abcdef"}, "abcdef abc", "*** ***", id="one within another"),
        pytest.param({"RESTIC_REPOSITORY": "rest:http://me:hid@host"}, "http://me:hid@host: hid", "http://***@host: ***", id="in a URL"),
        pytest.param({"REDISCLI_AUTH": "hush", "PGHOST": "db"}, "db says hush", "db says ***", id="other names stay"),
        pytest.param({"REDISCLI_AUTH": ""}, "as it is", "as it is", id="an empty one takes nothing out"),
    ],
)  # fmt: skip
def test_secrets_are_taken_out_of_what_programs_say(env: dict[str, str], text: str, shown: str) -> None:
    assert redacted(text, secrets_of(env)) == shown


@pytest.mark.parametrize(
    ("server", "own", "is_refused"),
    [
        (150_004, "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", False),
        (130_000, "pg_dump (PostgreSQL) 15.18", False),
        (160_000, "pg_dump (PostgreSQL) 15.18", True),
        (180_001, "pg_dump (PostgreSQL) 18beta1", False),
    ],
)
def test_a_newer_server_is_refused_with_both_versions(server: int, own: str, is_refused: bool) -> None:
    if not is_refused:
        refuse_newer(server, own)
        return
    with pytest.raises(Failed, match="PostgreSQL 16, and pg_dump is 15") as caught:
        refuse_newer(server, own)
    assert caught.value.reason == Reason.SERVER_IS_NEWER


VERIFY = {"kind": "verify", "source": "postgres", "tag": "shop/db/nightly"}
RESTORE = {"kind": "restore", "source": "postgres", "host": "shop/db", "tag": "shop/db/nightly", "snapshot": "0123abcd", "run": "r1"}


def test_tasks_of_later_kinds_are_read() -> None:
    asked = verify_task(json.dumps(VERIFY | {"sql": "select true", "assert_command": ["true"], "deadline_seconds": 5}))
    assert (asked.snapshot, asked.sql, asked.command, asked.deadline) == ("latest", "select true", ("true",), 5)
    task = restore_task(json.dumps(RESTORE | {"into": "other", "safety": False, "pending": True}))
    assert (task.snapshot, task.run, task.into, task.safety, task.pending, task.scratch_port) == ("0123abcd", "r1", "other", False, True, 0)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param(VERIFY | {"kind": "backup"}, "kind is missing", id="another kind"),
        pytest.param(VERIFY | {"snapshot": "--help"}, "snapshot is missing", id="an option as a snapshot"),
        pytest.param(VERIFY | {"source": "redis", "sql": "select true"}, "sql is for the source postgres", id="sql for another source"),
        pytest.param(VERIFY | {"assert_command": "true"}, "assert_command is missing", id="a command line"),
        pytest.param(RESTORE | {"run": "2026-01-02"}, "run is missing", id="a run that is no part of a name"),
        pytest.param(RESTORE | {"snapshot": "01"}, "snapshot is missing", id="hardly an id"),
        pytest.param(RESTORE | {"source": "volume", "into": "other"}, "into is for the source postgres", id="beside what is no database"),
        pytest.param(RESTORE | {"scratch_port": 6380}, "scratch_port is for the source redis", id="a server of another source"),
        pytest.param(RESTORE | {"else": 1}, "the task has a field that is not known", id="an unknown field"),
    ],
)
def test_a_task_of_a_later_kind_that_cannot_be_used_names_the_field(document: dict[str, Any], said: str) -> None:
    with pytest.raises(BadTask) as caught:
        (verify_task if "run" not in document else restore_task)(json.dumps(document))
    assert said in str(caught.value)


@pytest.mark.parametrize(("deadline", "spent", "left"), [(3600, 10, 3560), (60, 5.5, 39), (60, 0, 45), (60, 300, 1), (1, 0, 1)])
def test_what_hangs_in_a_verification_ends_before_its_pod_does(deadline: int, spent: float, left: int) -> None:
    assert time_to_answer(deadline, spent) == left
