"""What a spec says about releases and checks: single values, what is left out, and how a revision is released."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.broken_rules import HEADLESS, PORTS, QUERY, UDP, spec

from hardened.api.duration import duration, duration_text
from hardened.api.parse import parse_spec
from hardened.errors import InvalidSpec


def _check(**check: Any) -> dict[str, Any]:
    return spec(ports=PORTS, verify={"afterCutover": {"window": "1h", "checks": [{"name": "a", **check}]}})


def _path(value: Any) -> Any:
    return _check(http={"path": value})


def _keep(value: Any) -> Any:
    return spec(release={"keepPrevious": value})


def _latency(value: Any) -> Any:
    return _check(tcp={"maxLatency": value})


def _status(value: Any) -> Any:
    return _check(http={"expectStatus": value})


def _body(value: Any) -> Any:
    return _check(http={"expectBody": value})


def _rate(value: Any) -> Any:
    return _check(load={"rate": value})


def _errors(value: Any) -> Any:
    return _check(load={"rate": 1, "maxErrorRatio": value})


def _most(value: Any) -> Any:
    return _check(prometheus={"query": "up", "max": value})


def _query(value: Any) -> Any:
    return _check(prometheus={**QUERY, "query": value})


def _tcp(value: Any) -> Any:
    return spec(dependsOn=[{"tcp": value}])


def _count(value: Any) -> Any:
    return _check(grpc={"count": value})


TABLES: list[tuple[Callable[[Any], Any], list[Any], list[Any]]] = [
    (
        _path,
        ["/", "/health", "/a/b/", "/?", "/a?b=c/d", "/a?next=/b/", "/%2e%2e/a", "/a/../b", "/a:b@c", "/..;/a"],
        ["", "a", "//", "//a", "/a//b", "/a//", "/a?b=//c", "http://a/", "/a b", "/a\r\nHost: x", "/a\n", "/é", "/a#b", "/a\u0000", "\\a", "/{{a}}", "/" + "a" * 1024],
    ),
    (
        _keep,
        ["30s", "29s1000ms", "30000ms", "5m", "1h30m", "24h", "23h59m60s", "1m30s", "1s1m"],
        ["", "30", 30, "29s", "29999ms", "0s", "24h1ms", "25h", "-30s", "+30s", "30.0s", "30 s", "30s ", "30s\n", "30S", "1d", "30sec", "5min", "1h1h1h1h1h", "100000s", "३०s", True, ["30s"]],
    ),
    (_latency, ["1ms", "500ms", "1m", "60s"], ["0ms", "0s", "1us", "61s", "1m1ms", 500]),
    (_status, [[200], [100, 599], list(range(200, 216))], [[], [99], [600], [200, 200], ["200"], [200.0], [True], 200, list(range(200, 217))]),
    (_body, ["ok", " ", "日本", "a\nb", "x" * 256], ["", "a\u0000", "x" * 257, 1]),
    (_rate, [1, 5000], [0, -1, 5001, 1.5, "1", True]),
    (_errors, [0, 1, 0.001, 0.0, 1.0], [-0.001, 1.001, "0", True, float("nan"), float("inf")]),
    (_most, [0, -1, 1e15, 0.01, -1e15], [1.1e15, -1.1e15, "1", True, float("nan"), float("inf"), float("-inf")]),
    (_query, ["up", 'a{color="$(color)"}', "a\nb", "x" * 4096], ["", "a\u0000", "x" * 4097, 1]),
    (
        _tcp,
        ["redis:6379", "a:1", "a-b:65535", "0:80", "x" * 63 + ":65535"],
        ["redis", "redis:", ":1", "a:0", "a:65536", "a:99999", "a:01", "a.b:1", "a.default.svc:1", "10.0.0.1:1", "[::1]:1", "A:1", "a_b:1", "-a:1", "a-:1", "a:1 ", "a:1\n", "a:-1", "a:b", "tcp://a:1", "x" * 64 + ":1"],
    ),
    (_count, [1, 100], [0, 101, "1", True]),
]  # fmt: skip


def is_taken(given: Any) -> bool:
    try:
        parse_spec(given)
    except InvalidSpec:
        return False
    return True


@pytest.mark.parametrize(
    "value", [pytest.param(at(value), id=ascii(f"{at.__name__} {value}"[:60])) for at, taken, _ in TABLES for value in taken]
)
def test_it_is_taken(value: Any) -> None:
    assert is_taken(value)


@pytest.mark.parametrize(
    "value",
    [pytest.param(at(value), id=ascii(f"{at.__name__} {value}"[:60])) for at, _, refused in TABLES for value in refused],
)
def test_it_is_refused(value: Any) -> None:
    assert not is_taken(value)


@pytest.mark.parametrize("release", [{"strategy": s} for s in ("BlueGreen", "RollingUpdate", "Recreate")] + [{}])
@pytest.mark.parametrize("verify", [{}, {"afterCutover": {"checks": [{"name": "a", "http": {}}]}}])
def test_every_strategy_is_taken_where_nothing_speaks_against_it(release: Any, verify: Any) -> None:
    assert is_taken(spec(ports=PORTS, release=release, verify=verify))


@pytest.mark.parametrize(
    "check",
    [
        pytest.param({"http": {}}, id="the first port with TCP is meant"),
        pytest.param({"http": {"count": 11}}, id="requests that just fit into the window"),
        pytest.param({"grpc": {"count": 100, "interval": "100ms"}}, id="many requests in short"),
        pytest.param({"tcp": {"interval": "1m"}}, id="one request has no interval"),
        pytest.param({"http": {"port": "http"}}, id="a port among others"),
    ],
)
def test_a_check_beside_other_ports_and_within_its_time_is_taken(check: dict[str, Any]) -> None:
    assert is_taken(spec(verify={"afterCutover": {"window": "10s", "checks": [{"name": "a", **check}]}}) | UDP)


def _claim(**more: Any) -> dict[str, Any]:
    read_only = {"readOnly": more.pop("readOnly")} if "readOnly" in more else {}
    return {"volumes": [{"name": "a", "mountPath": "/a", "claim": {"size": "1Gi", **more}, **read_only}]}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, "BlueGreen", id="ports"),
        pytest.param({"ports": None}, "RollingUpdate", id="a worker"),
        pytest.param({"ports": []}, "RollingUpdate", id="a worker with an empty list"),
        pytest.param(HEADLESS, "RollingUpdate", id="a headless service"),
        pytest.param(_claim(), "Recreate", id="a claim of one node"),
        pytest.param({**_claim(), "ports": None}, "Recreate", id="a worker with a claim of one node"),
        pytest.param({**_claim(), **HEADLESS}, "Recreate", id="a headless service with a claim of one node"),
        pytest.param(_claim(accessModes=["ReadWriteOncePod"]), "Recreate", id="a claim of one pod"),
        pytest.param(_claim(accessModes=["ReadWriteMany"]), "Recreate", id="a claim of many nodes that nobody called shared"),
        pytest.param(_claim(shared=False), "Recreate", id="a claim that is not shared"),
        pytest.param(_claim(shared=True), "BlueGreen", id="a claim that is shared"),
        pytest.param(_claim(accessModes=["ReadWriteMany"], shared=True), "BlueGreen", id="a claim of many nodes that is shared"),
        pytest.param(_claim(readOnly=True), "BlueGreen", id="a claim that is only read"),
        pytest.param(_claim(accessModes=["ReadOnlyMany"]), "BlueGreen", id="a claim that can only be read"),
        pytest.param({"volumes": [{"name": "a", "mountPath": "/a", "emptyDir": {}}]}, "BlueGreen", id="scratch space"),
        pytest.param({"release": {"strategy": "RollingUpdate"}}, "RollingUpdate", id="what is said"),
        pytest.param({**_claim(shared=True), "release": {"strategy": "Recreate"}}, "Recreate", id="what is said of a shared claim"),
    ],
)
def test_how_a_revision_is_released(more: dict[str, Any], expected: str) -> None:
    assert parse_spec(spec(ports=PORTS) | more).effective_strategy == expected


def test_what_is_left_out() -> None:
    release, verify = parse_spec(spec()).release, parse_spec(spec()).verify
    assert (release.strategy, release.preview_replicas, release.promotion, release.auto_promote_after) == (None, 1, "Automatic", None)
    assert (release.progress_deadline, release.keep_previous) == (timedelta(minutes=10), timedelta(minutes=5))
    assert (release.history_limit, release.migrate) == (10, None)
    assert (verify.before_cutover, verify.after_cutover.checks) == (None, None)
    assert (verify.after_cutover.window, verify.after_cutover.max_restarts) == (timedelta(seconds=10), 0)


def test_what_is_written_is_written_again_whatever_way_a_time_was_spelt() -> None:
    given = {"keepPrevious": "90m", "preview": {"replicas": 3}, "migrate": {"command": ["a"], "deadline": "1s59s"}}
    release = parse_spec(spec(ports=PORTS, release=given)).release
    assert release.model_dump(by_alias=True, exclude_unset=True) == {
        "keepPrevious": "1h30m", "preview": {"replicas": 3}, "migrate": {"command": ["a"], "deadline": "1m"},
    }  # fmt: skip
    assert release.preview_replicas == 3


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [
        ("500ms", 0.5, "500ms"), ("30s", 30, "30s"), ("2m", 120, "2m"), ("1h30m", 5400, "1h30m"), ("90m", 5400, "1h30m"), ("1m1m", 120, "2m"),
        ("0s", 0, "0s"), ("1m500ms", 60.5, "1m500ms"), ("00030s", 30, "30s"), ("1ms1h", 3600.001, "1h1ms"), ("99999h", 359996400, "99999h"),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float, written: str) -> None:
    assert duration(text).total_seconds() == seconds
    assert duration_text(duration(text)) == written


@pytest.mark.parametrize("text", ["", "1", "s", "1d", "1.5s", "-1s", "1s\n", " 1s", "1us", "1S", "1s" * 5, "100000s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


@given(st.integers(0, 99999 * 3_600_000))
def test_a_written_duration_is_read_as_itself(milliseconds: int) -> None:
    value = timedelta(milliseconds=milliseconds)
    assert duration(duration_text(value)) == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(_keep("1s"), "must be from 30s to 24h", id="too short"),
        pytest.param(_keep(30), "must be a duration such as 500ms, 30s, 2m or 1h30m", id="a number"),
        pytest.param(_most("1"), "must be a number", id="a number as text"),
    ],
)
def test_the_remedy_is_named(given: Any, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_spec(given)
    assert [error.message for error in caught.value.errors] == [message]
