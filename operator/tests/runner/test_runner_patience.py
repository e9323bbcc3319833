"""A server that answers a moment later is waited for: programs that refuse at first stand for it."""

import os
from pathlib import Path

import pytest

from hardened.runner.dump import dump_postgres, reach
from hardened.runner.failures import Failed
from hardened.runner.programs import Programs

REFUSED = 'psql: error: connection to server at "db", port 5432 failed: Connection refused'
PG_DUMP = """#!/bin/sh
case "$1" in --version) echo 'pg_dump (PostgreSQL) 15.18'; exit;; esac
for each; do case "$each" in --file=*) echo dump >"${each#--file=}";; esac; done
"""


def programs(folder: Path, refusal: str, times: int) -> Programs:
    """With a psql that ends with these words so many times, and answers then; and a pg_dump."""
    (folder / "bin").mkdir()
    count = folder / "count"
    psql = f"#!/bin/sh\necho >>{count}\nif [ $(wc -l <{count}) -le {times} ]; then echo '{refusal}' >&2; exit 2; fi\necho 150018\n"
    for name, text in (("psql", psql), ("pg_dump", PG_DUMP)):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return Programs({"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}, folder)


def tries(folder: Path) -> int:
    return len((folder / "count").read_text().splitlines())


def test_a_server_that_refuses_at_first_is_asked_again(tmp_path: Path) -> None:
    dump_postgres(tmp_path / "dump", programs(tmp_path, REFUSED, 2))
    assert tries(tmp_path) == 3
    assert (tmp_path / "dump").is_file()


def test_what_will_not_mend_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="password authentication failed"):
        dump_postgres(tmp_path / "dump", programs(tmp_path, "FATAL: password authentication failed", 1))
    assert tries(tmp_path) == 1


def test_a_server_that_does_not_come_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardened.runner.dump.PATIENCE", 1.5)
    with pytest.raises(Failed, match="Connection refused"):
        dump_postgres(tmp_path / "dump", programs(tmp_path, REFUSED, 99))
    assert 2 <= tries(tmp_path) <= 4


def test_a_restore_waits_for_the_server_whatever_it_says_then(tmp_path: Path) -> None:
    reach("postgres", programs(tmp_path, REFUSED, 2))
    assert tries(tmp_path) == 3
