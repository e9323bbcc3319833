"""`logs`: of all pods of a service, of one revision or colour, once or as they come."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hardenctl_world import NEW, REVISION, FakeCluster
from service_world import CORE, CRASHED, NEW_POD, OLD_PODS, RUNNING, UNPULLED, around, pod

from hardened.errors import Refused, TryAgain


def talking(new: dict[str, Any] = RUNNING) -> FakeCluster:
    cluster = around(None, new)
    cluster.logs = {OLD_PODS[0]: ["one", "two"], OLD_PODS[1]: ["three"], NEW_POD: ["four"]}
    return cluster


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param([], ["[blue/aaaaa] one", "[blue/aaaaa] two", "[blue/bbbbb] three", "[green/x2v1q] four"], id="of all pods"),
        pytest.param(["--revision", "2"], ["[green/x2v1q] four"], id="of a revision"),
        pytest.param(["--color", "blue", "--tail", "1"], ["[blue/aaaaa] two", "[blue/bbbbb] three"], id="of a colour, the last line"),
        pytest.param(["--color", "green", "--no-prefix"], ["four"], id="without the prefix"),
    ],
)
def test_each_line_says_which_pod_it_is_of(run: Any, flags: list[str], expected: list[str]) -> None:
    shown = run(talking(), "logs", "api", *flags)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == expected


def test_as_data(run: Any) -> None:
    found = json.loads(run(talking(), "logs", "api", "--revision", NEW, "-o", "json").stdout)
    entry = {"pod": NEW_POD, "revision": NEW, "color": "green", "container": "app", "lines": ["four"], "problem": ""}
    assert found == {"result": "ok", "namespace": "shop", "name": "api", "logs": [entry]}


def test_the_server_is_asked_for_no_more_than_is_shown(run: Any) -> None:
    cluster = talking(CRASHED)
    run(cluster, "logs", "api", "--revision", "2", "--previous", "--since", "5m", "--tail", "3", "-c", "proxy", "--timestamps")
    (path,) = [path for path, *_ in cluster.applied]
    assert path == (
        f"/api/v1/namespaces/shop/pods/{NEW_POD}/log?container=proxy&previous=true&tailLines=3&sinceSeconds=300&timestamps=true"
    )


def test_pods_that_have_said_nothing_yet_do_not_hide_the_others(run: Any) -> None:
    cluster = talking(UNPULLED)
    cluster.logs[NEW_POD] = Refused("container app is waiting to start: trying and failing to pull image", status=400)
    shown = run(cluster, "logs", "api")
    assert shown.exit_code == 0
    assert "three" in shown.stdout
    assert f"warning: pod {NEW_POD}: container app is waiting to start" in shown.stderr


def test_no_pod_has_a_log(run: Any) -> None:
    cluster = talking(UNPULLED)
    cluster.logs[NEW_POD] = Refused("container app is waiting to start", status=400)
    shown = run(cluster, "logs", "api", "--revision", "2")
    assert shown.exit_code == 1
    assert shown.stderr == f"error: pod {NEW_POD}: container app is waiting to start\nNext: hardenctl explain api -n shop\n"


def test_no_container_has_ended(run: Any) -> None:
    cluster = talking()
    shown = run(cluster, "logs", "api", "--color", "green", "-p")
    assert shown.exit_code == 1
    assert "none of its containers has ended" in shown.stderr
    assert "hint: without --previous" in shown.stderr
    assert not cluster.applied, "the server is not asked for what there is none of"


def test_what_a_node_says_in_place_of_a_log_is_none(run: Any) -> None:
    cluster = talking(CRASHED)
    cluster.logs[NEW_POD] = ["unable to retrieve container logs for containerd://a0b93f70d7d9"]
    shown = run(cluster, "logs", "api", "--color", "green", "-p")
    assert shown.exit_code == 1
    assert "the node has removed that container" in shown.stderr


def test_the_run_that_has_just_ended_is_the_previous_one(run: Any) -> None:
    ended = {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 2, "state": {"terminated": {"exitCode": 1}}}]}
    cluster = talking(ended)
    assert run(cluster, "logs", "api", "--color", "green", "-p").stdout == "[green/x2v1q] four\n"
    assert not any("previous" in path for path, *_ in cluster.applied)


def test_there_is_no_such_pod(run: Any) -> None:
    shown = run(around(), "logs", "api", "--color", "green")
    assert shown.exit_code == 1
    assert "there is no such pod" in shown.stderr


def test_who_may_not_read_logs(run: Any) -> None:
    cluster = talking()
    cluster.logs[OLD_PODS[0]] = Refused('pods is forbidden: cannot get resource "pods/log"', status=403)
    assert run(cluster, "logs", "api").exit_code == 4


@pytest.mark.parametrize(
    "flags", [["--color", "red"], ["--tail", "-2"], ["-f", "-p"], ["-f", "-o", "json"], ["--since", "x"], ["--revision", "9"]]
)
def test_flags_that_make_no_sense(run: Any, flags: list[str]) -> None:
    shown = run(talking(), "logs", "api", *flags)
    assert shown.exit_code == 2
    assert shown.output


class Living(FakeCluster):
    """worlds: the pods at one look after the other, then none; streams: by pod, what each stream says, and how it ends."""

    def __init__(self, worlds: list[list[dict[str, Any]]], streams: dict[str, list[Any]]) -> None:
        super().__init__()
        self.objects |= around().objects
        self.worlds, self.streams = worlds, streams
        self.opened: list[str] = []

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        if path.startswith(f"{CORE}/pods?"):
            return {"items": self.worlds.pop(0) if self.worlds else []}
        return super().get(path, within)

    def lines(self, path: str, timeout: float) -> Iterator[str]:
        self.opened.append(path)
        for line in self.streams[path.split("/")[6]].pop(0):
            if isinstance(line, Exception):
                raise line
            yield line


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the pods follows the other once their streams have ended."""
    import threading

    def pause(_: float) -> None:
        for thread in threading.enumerate():
            if thread.daemon and thread.name.startswith("logs of"):
                thread.join()

    monkeypatch.setattr("hardenctl.commands.logs.time.sleep", pause)


@pytest.mark.usefixtures("quick")
def test_new_pods_are_followed_and_cut_streams_go_on(run: Any) -> None:
    old, new = pod(OLD_PODS[0], "blue", REVISION, RUNNING), pod(NEW_POD, "green", NEW, RUNNING)
    first, second, third = "2026-01-02T03:04:05.1Z one", "2026-01-02T03:04:05.12Z two", "2026-01-02T03:04:06Z three"
    streams = {
        OLD_PODS[0]: [[first, TryAgain("cut")], [first, second, TryAgain("cut")], [second, third]],
        NEW_POD: [["2026-01-02T03:04:07Z four"]],
    }
    cluster = Living([[old], [old], [old, new], []], streams)
    shown = run(cluster, "logs", "api", "-f", "--tail", "7")
    assert shown.exit_code == 0
    assert sorted(shown.stdout.splitlines()) == ["[blue/aaaaa] one", "[blue/aaaaa] three", "[blue/aaaaa] two", "[green/x2v1q] four"]
    assert "tailLines=7" in cluster.opened[0]
    assert "sinceTime=2026-01-02T03%3A04%3A05Z" in cluster.opened[1]
    assert "tailLines" not in cluster.opened[1]
    assert shown.stderr == "there is no such pod any more\n"


@pytest.mark.usefixtures("quick")
def test_a_container_is_followed_over_its_restart_and_not_read_twice(run: Any) -> None:
    ended = {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 0, "state": {"terminated": {"exitCode": 1}}}]}
    again = {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 1, "ready": True, "state": {"running": {}}}]}
    worlds = [[pod(NEW_POD, "green", NEW, status)] for status in (RUNNING, ended, again)]
    cluster = Living(worlds, {NEW_POD: [["2026-01-02T03:04:05Z one"], ["2026-01-02T03:04:08Z two"]]})
    shown = run(cluster, "logs", "api", "-f", "--timestamps")
    assert shown.stdout.splitlines() == ["[green/x2v1q] 2026-01-02T03:04:05Z one", "[green/x2v1q] 2026-01-02T03:04:08Z two"]
    assert len(cluster.opened) == 2


@pytest.mark.usefixtures("quick")
def test_following_ends_where_it_is_refused(run: Any) -> None:
    world = [pod(NEW_POD, "green", NEW, RUNNING)]
    cluster = Living([world, world], {NEW_POD: [[Refused("forbidden", status=403)]]})
    assert run(cluster, "logs", "api", "-f").exit_code == 4
