"""Kubelets come up one at a time."""

import threading
from pathlib import Path

import pytest

from e2e.cluster.local import device_plugins


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_plugins, "SOCKET", tmp_path / "kubelet.sock")
    monkeypatch.setattr(device_plugins, "_LOCK", tmp_path / "lock")


def second(has_begun: threading.Event) -> threading.Thread:
    """Another kubelet, which wants to come up now, and is there as soon as it may."""

    def come_up() -> None:
        with device_plugins.turn(lambda: True):
            has_begun.set()

    thread = threading.Thread(target=come_up)
    thread.start()
    return thread


@pytest.mark.parametrize("was_there", [True, False], ids=["over an older one's socket", "in an empty folder"])
def test_the_next_one_waits_for_the_socket_of_the_one_before(tmp_path: Path, was_there: bool) -> None:
    if was_there:
        device_plugins.SOCKET.touch()
    has_begun, asked = threading.Event(), 0

    def has_ended() -> bool:
        nonlocal asked
        asked += 1
        assert not has_begun.is_set()
        if asked == 3:
            made = tmp_path / "made"  # beside the older one, so that it is another file for certain
            made.touch()
            made.replace(device_plugins.SOCKET)
        return False

    with device_plugins.turn(has_ended):
        other = second(has_begun)
    assert asked == 3
    assert has_begun.wait(10)
    other.join()


def test_one_that_ends_before_it_has_a_socket_is_not_waited_for() -> None:
    with device_plugins.turn(lambda: True):
        pass
    assert not device_plugins.SOCKET.exists()
