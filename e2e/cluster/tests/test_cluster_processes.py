import os
from pathlib import Path

import pytest

from e2e.cluster import packages
from e2e.cluster.local.processes import Process, parse_stat
from e2e.cluster.lock import locked
from e2e.cluster.progress import span
from e2e.cluster.whole import made_whole

REST = "1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 {started} 1 1"


@pytest.mark.parametrize(
    ("line", "process"),
    [
        pytest.param(f"42 (etcd) S {REST.format(started=7)}", Process(42, 7, "S"), id="a plain name"),
        pytest.param(f"42 (a) b (c)) T {REST.format(started=9)}", Process(42, 9, "T"), id="a name with blanks and brackets"),
    ],
)
def test_a_process_is_read_from_its_stat_line(line: str, process: Process) -> None:
    assert parse_stat(line) == process


def test_this_very_process_is_read_as_running() -> None:
    found = parse_stat(Path("/proc/self/stat").read_text())
    assert found.pid == os.getpid()
    assert found.is_running
    assert not found.is_stopped


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_process_that_nobody_has_collected_yet_does_not_run(state: str) -> None:
    assert not Process(1, 1, state).is_running


def test_a_lock_keeps_others_out_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "locks/demo"
    with locked(path, waiting_for="nobody"):
        child = os.fork()
        if child == 0:
            with locked(path, waiting_for="the test"):
                os.write(os.open(tmp_path / "got-it", os.O_CREAT | os.O_WRONLY), b"x")
            os._exit(0)
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        assert not (tmp_path / "got-it").exists()
    assert os.waitpid(child, 0) == (child, 0)
    assert (tmp_path / "got-it").exists()
    assert not path.exists()


def test_packages_that_another_process_has_installed_meanwhile_are_not_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([["runc"], []])
    monkeypatch.setenv("HARDENED_CACHE", str(tmp_path))
    monkeypatch.setattr(packages, "missing", lambda: next(looks))
    monkeypatch.setattr(packages, "attempt", lambda *_, **__: pytest.fail("installed again"))
    packages.ensure()
    assert next(looks, None) is None


def test_what_is_made_whole_appears_only_when_it_is_ready(tmp_path: Path) -> None:
    final = tmp_path / "image.tar"
    with made_whole(final) as partial:
        partial.write_text("all of it")
        assert not final.exists()
    assert final.read_text() == "all of it"
    assert list(tmp_path.iterdir()) == [final]


def test_a_failure_leaves_nothing_and_a_kill_leaves_nothing_that_counts(tmp_path: Path) -> None:
    final = tmp_path / "image.tar"

    def fail_half_way() -> None:
        with made_whole(final) as partial:
            partial.write_text("half of it")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []
    killed = tmp_path / ".image.tar.left"
    killed.mkdir()
    with made_whole(final) as partial:
        partial.write_text("all of it")
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.42, "0.4s"), (59.9, "59.9s"), (59.96, "1m00s"), (160, "2m40s"), (3600, "60m00s")], ids=lambda value: str(value)
)
def test_a_duration_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert span(seconds) == said
