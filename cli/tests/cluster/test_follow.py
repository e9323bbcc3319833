"""Following a service over everything that can happen to a watch."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hardenctl_world import SERVICES, FakeCluster, modified, service

from hardenctl.cluster.api_cluster import ApiCluster
from hardenctl.cluster.follower import PATIENCE, PATIENCE_WITH_LOGIN, Follower, WaitTimedOut
from hardenctl.connection.kubeconfig import ResolvedContext
from hardenctl.connection.transport import HttpCall, HttpReply
from hardenctl.output.duration import Deadline
from hardenctl.output.outcome import CommandEnd, unanswered, usage
from hardened.errors import Refused, TryAgain

EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, span: float) -> None:
        self.now += max(span, 0.01)


class Forgetful(FakeCluster):
    """Remembers the changes since version 5000 only. A watch from there sees version 5001, one from before that is expired."""

    newest, listings, calls = 5000, 0, 0

    def __init__(self, clock: Clock, *, most_listings: int = 1000) -> None:
        super().__init__(service(version=1))
        self.clock, self.most_listings = clock, most_listings

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        found = super().get(path)
        self._called()
        if "items" not in found:
            return found
        self.listings += 1
        if self.listings > self.most_listings:
            raise TryAgain("overloaded", status=503)
        return found | {"metadata": {"resourceVersion": str(self.newest)}}

    def watch(self, path: str, timeout: float) -> Iterator[dict[str, Any]]:
        self._called()
        since = int(dict(parse_qsl(path.partition("?")[2]))["resourceVersion"])
        yield from [modified(service(version=5001))] if since >= 5000 else [EXPIRED]

    def _called(self) -> None:
        self.calls += 1
        self.clock.now += 0.01


def _versions(cluster: FakeCluster, seconds: float = 60, stop_at: str = "", clock: Clock | None = None) -> list[str | None]:
    clock = clock or Clock()
    follower = Follower(cluster, "shop", "api", Deadline.after(seconds, clock), pause=clock.pause)
    seen: list[str | None] = []
    for state in follower.states(service(version=1)):
        seen.append(state and state["metadata"]["resourceVersion"])
        if seen[-1] == stop_at:
            break
    return seen


def test_a_server_that_stays_away_is_told_once() -> None:
    clock, told = Clock(), list[str]()
    cluster = FakeCluster(service(version=1))
    cluster.watches = [TryAgain("no route to host")] * 6
    follower = Follower(cluster, "shop", "api", Deadline.after(20, clock), tell=told.append, pause=clock.pause)
    with pytest.raises(WaitTimedOut):
        list(follower.states(service(version=1)))
    assert told == ["        the cluster does not answer: no route to host; trying again"]


def test_a_cut_connection_is_taken_up_again() -> None:
    cluster = FakeCluster(service(version=1))
    cluster.watches = [[modified(service(version=2))], TryAgain("reset"), TryAgain("busy", status=503), [modified(service(version=3))]]
    assert _versions(cluster, stop_at="3") == ["1", "2", "3"]


@pytest.mark.parametrize("gone", [[EXPIRED], TryAgain("too old", status=410)], ids=["as an event", "as a reply"])
def test_an_expired_version_is_read_anew(gone: Any) -> None:
    cluster = FakeCluster(service(version=7))
    cluster.watches = [gone, [modified(service(version=8))]]
    assert _versions(cluster, stop_at="8") == ["1", "7", "8"]


def test_an_object_older_than_all_that_the_server_remembers_is_watched() -> None:
    clock = Clock()
    assert _versions(Forgetful(clock), stop_at="5001", clock=clock) == ["1", "5001"]


def test_a_server_that_forgets_at_once_is_not_hammered() -> None:
    clock = Clock()
    cluster = Forgetful(clock)
    cluster.newest = 4000
    with pytest.raises(WaitTimedOut):
        _versions(cluster, seconds=60, clock=clock)
    assert cluster.calls < 40


def test_the_next_watch_begins_at_the_last_bookmark() -> None:
    class Quiet(Forgetful):
        def watch(self, path: str, timeout: float) -> Iterator[dict[str, Any]]:
            if "resourceVersion=4000" not in path:
                yield from super().watch(path, timeout)
                return
            self.clock.now += 45
            yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "5000"}}}

    clock = Clock()
    cluster = Quiet(clock, most_listings=1)
    cluster.newest = 4000
    assert _versions(cluster, seconds=600, stop_at="5001", clock=clock) == ["1", "5001"]


def test_a_bookmark_is_no_change() -> None:
    cluster = FakeCluster(service(version=1))
    cluster.watches = [[{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "5"}}}, modified(service(version=6))]]
    assert _versions(cluster, stop_at="6") == ["1", "6"]


@pytest.mark.parametrize("in_watch", [True, False], ids=["seen by the watch", "while nobody watched"])
def test_a_deletion_ends_it(in_watch: bool) -> None:
    cluster = FakeCluster(service(version=1))
    if in_watch:
        cluster.watches = [[{"type": "DELETED", "object": service(version=2)}]]
    else:
        del cluster.objects[f"{SERVICES}/api"]
    assert _versions(cluster) == ["1", None]


class Away(FakeCluster):
    """Does not answer between these seconds."""

    def __init__(self, clock: Clock, since: float, until: float, error: Exception) -> None:
        super().__init__(service(version=1))
        self.clock, self.since, self.until, self.error = clock, since, until, error

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        self._answer()
        return super().get(path)

    def watch(self, path: str, timeout: float) -> Iterator[dict[str, Any]]:
        self.clock.now += 5
        self._answer()
        yield from [modified(service(version=2))] if self.clock.now >= self.until else []

    def _answer(self) -> None:
        if self.since <= self.clock.now < self.until:
            self.clock.now += 0.5
            raise self.error


REFUSED_TO_CONNECT = TryAgain("https://x: Connection refused")
UNAUTHORIZED = TryAgain("Unauthorized", status=401)
LOGGED_OUT = unanswered("the credential plugin login gave no credentials")


@pytest.mark.parametrize(
    ("error", "seconds"), [(REFUSED_TO_CONNECT, 240), (UNAUTHORIZED, 10), (LOGGED_OUT, 10)], ids=["restarts", "renews", "logs in"]
)
def test_a_server_may_be_away_for_a_while(error: Exception, seconds: float) -> None:
    clock = Clock()
    assert _versions(Away(clock, 10, 10 + seconds, error), seconds=3600, stop_at="2", clock=clock) == ["1", "2"]


@pytest.mark.parametrize(
    ("error", "most"), [(REFUSED_TO_CONNECT, PATIENCE), (UNAUTHORIZED, PATIENCE_WITH_LOGIN), (LOGGED_OUT, PATIENCE_WITH_LOGIN)]
)
def test_one_that_stays_away_is_given_up_long_before_the_deadline(error: Exception, most: float) -> None:
    clock = Clock()
    with pytest.raises(type(error)):
        _versions(Away(clock, 0, 1e9, error), seconds=24 * 3600, clock=clock)
    assert most <= clock.now < most + 15


def test_a_deadline_that_passes_while_it_is_away_is_no_answer_either() -> None:
    clock = Clock()
    with pytest.raises(TryAgain, match="Connection refused"):
        _versions(Away(clock, 10, 1e9, REFUSED_TO_CONNECT), seconds=60, clock=clock)
    assert 60 <= clock.now <= 61


def test_a_wrong_kubeconfig_is_not_tried_again() -> None:
    clock = Clock()
    with pytest.raises(CommandEnd, match="not base64"):
        _versions(Away(clock, 0, 1e9, usage("client-key-data is not base64")), seconds=60, clock=clock)
    assert clock.now < 1


def test_the_deadline_ends_it() -> None:
    with pytest.raises(WaitTimedOut):
        _versions(FakeCluster(service(version=1)), seconds=5)


FORBIDDEN = Refused("forbidden", status=403)


def test_what_retrying_does_not_mend_is_raised() -> None:
    cluster = FakeCluster(service(version=1))
    cluster.objects[f"{SERVICES}/api"] = FORBIDDEN
    with pytest.raises(Refused):
        _versions(cluster)


class Unwatched(FakeCluster):
    """Has a new version of its service at these seconds, and then none. Lists and watches are refused, as asked for."""

    def __init__(self, clock: Clock, at: list[float], refused: str) -> None:
        super().__init__(service(version=1))
        self.clock, self.at, self.refused, self.reads = clock, at, refused, 0

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        if path.partition("?")[0].endswith("/hardenedservices"):
            if self.refused == "list":
                raise FORBIDDEN
            return super().get(path)
        self.reads += 1
        passed = sum(self.clock.now >= moment for moment in self.at)
        if passed == len(self.at):
            self.objects.clear()
        elif self.reads == 2:
            raise TryAgain("overloaded", status=503)
        return super().get(path) | {"metadata": service(version=1 + passed)["metadata"]}

    def watch(self, path: str, timeout: float) -> Iterator[dict[str, Any]]:
        raise FORBIDDEN


@pytest.mark.parametrize("refused", ["list", "watch"])
def test_who_may_not_watch_reads_every_two_seconds(refused: str) -> None:
    clock = Clock()
    cluster = Unwatched(clock, [5, 9, 20], refused)
    assert _versions(cluster, clock=clock) == ["1", "2", "3", None]
    assert 20 <= clock.now <= 22
    assert cluster.reads <= 13


def test_one_of_the_same_name_that_was_made_since_is_another_object() -> None:
    made_anew = service(version=9)
    made_anew["metadata"]["uid"] = "another"
    cluster = FakeCluster(service(version=1))
    cluster.watches = [[modified(service(version=2)), modified(made_anew), modified(service(version=10))]]
    assert _versions(cluster) == ["1", "2", None]


class Overloaded:
    """Answers each call when its time is over, at most after 1,000 s, and asks to be asked 30 s later."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def send(self, call: HttpCall) -> HttpReply:
        self.clock.now += min(call.timeout or 1000.0, 1000.0)
        return HttpReply(429, {"Retry-After": "30"}, b'{"kind": "Status", "message": "too many requests"}')


@pytest.mark.parametrize("bound", [30.0, None])
def test_a_server_that_is_slow_to_answer_does_not_move_the_deadline(bound: float | None) -> None:
    clock = Clock()
    cluster = ApiCluster(ResolvedContext("c", "shop", {"server": "https://x"}, {}), Overloaded(clock), request_timeout=bound)
    with pytest.raises(TryAgain, match="too many requests"):
        list(Follower(cluster, "shop", "api", Deadline.after(40, clock), pause=clock.pause).states(service(version=1)))
    assert 40 <= clock.now <= 40.2


def test_the_deadline_ends_reading_as_well() -> None:
    clock = Clock()
    with pytest.raises(WaitTimedOut):
        _versions(Unwatched(clock, [500], "watch"), seconds=31, clock=clock)
    assert clock.now <= 31.1
