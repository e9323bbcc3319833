"""A report is JSON of at most 4096 bytes, whatever is in it; a task is read strictly."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardened.verifier.report import LIMIT, Result, bounded, described, rendered
from hardened.verifier.task import MOST_ITEMS, BadTask, parse

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
LABEL = st.text("abc-0", min_size=1, max_size=63)
RESULTS = st.builds(
    Result,
    LABEL,
    st.booleans(),
    st.builds(str.__mul__, st.text(st.characters(codec=None), max_size=9), st.integers(0, 60)),
    st.integers(1, 100_000),
    st.integers(0, 100_000),
    st.dictionaries(st.sampled_from(["missed", "slowestSeconds", "failures"]), st.text(max_size=9) | st.integers()),
)


@given(st.lists(RESULTS, max_size=MOST_ITEMS))
def test_a_report_fits_and_names_every_verdict(results: list[Result]) -> None:
    text = rendered(results, NOW, NOW + timedelta(seconds=9))
    assert len(text) <= LIMIT
    report = json.loads(text)
    assert [(entry["name"], entry["result"], entry["requests"]) for entry in report["results"]] == [
        (result.name, "Passed" if result.has_passed else "Failed", result.requests) for result in results
    ]
    assert (report["startedAt"], report["finishedAt"]) == ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:14.678Z")


@pytest.mark.parametrize("count", [MOST_ITEMS, 500])
def test_the_longest_report_fits(count: int) -> None:
    text = rendered([Result("n" * 63, False, "\0" * 4000, 100_000, 100_000, {"d": "x" * 100})] * count, NOW, NOW)
    assert len(text) <= LIMIT
    assert len(json.loads(text)["results"]) >= MOST_ITEMS


def test_a_report_is_as_long_as_it_may_be_and_no_longer() -> None:
    """Each length around the limit, by a detail that grows by one."""
    others = [Result(f"check-{n}", False, "m" * 400, 1, 1) for n in range(7)]
    sizes = [len(rendered([*others, Result("last", False, "", 1, 1, {"failures": "x" * n})], NOW, NOW)) for n in range(800)]
    assert max(sizes) == LIMIT


def test_messages_are_kept_where_there_is_room() -> None:
    (entry,) = json.loads(rendered([Result("smoke", True, "fine", 5, 0, {"missed": 1})], NOW, NOW))["results"]
    assert entry == {"name": "smoke", "result": "Passed", "message": "fine", "requests": 5, "failed": 0, "missed": 1}


def test_the_kinds_of_failure_are_bounded() -> None:
    kinds = Counter({f"HTTP {code}": code for code in range(500, 510)})
    assert bounded(kinds) == {f"HTTP {code}": code for code in range(509, 504, -1)} | {"other": sum(range(500, 505))}
    assert described(Counter(a=1, b=2)) == "2 x b, 1 x a"


CHECK: dict[str, Any] = {"name": "smoke", "kind": "http", "host": "shop.market.svc", "port": 80}
PROBE: dict[str, Any] = {**CHECK, "durationSeconds": 60, "burst": {"failures": 10, "seconds": 2}}
TASK: dict[str, Any] = {"authority": "shop", "checks": [CHECK]}


def test_a_task_is_read() -> None:
    own = {"path": "/a?b", "expectStatus": [204], "expectBody": "ok", "maxLatencySeconds": 0.5, "count": 5, "intervalSeconds": 2}
    task = parse(json.dumps({"authority": "shop", "waitSeconds": 30, "checks": [CHECK | own], "probes": [PROBE | {"name": "loss"}]}))
    (check,), (probe,) = task.checks, task.probes
    assert (task.authority, task.wait, check.name, check.count, check.interval, check.failure_limit) == ("shop", 30, "smoke", 5, 2, 0)
    assert (check.target.host, check.target.port, check.target.path, check.target.timeout) == ("shop.market.svc", 80, "/a?b", 0.5)
    assert (check.target.expect_status, check.target.expect_body) == (frozenset({204}), b"ok")
    assert (probe.name, probe.rate, probe.duration, probe.burst_failures, probe.burst_seconds) == ("loss", 20, 60, 10, 2)
    assert (probe.target.expect_status, probe.target.timeout) == (None, 2.0)


def test_a_slow_answer_may_take_two_seconds_at_most() -> None:
    (check,) = parse(json.dumps(TASK | {"checks": [CHECK | {"maxLatencySeconds": 60}]})).checks
    assert check.target.timeout == 2.0


@pytest.mark.parametrize(
    ("task", "field"),
    [
        pytest.param("", "the task", id="nothing"),
        pytest.param("[" * 100_000, "the task", id="too deep"),
        pytest.param([], "the task", id="no object"),
        pytest.param({}, "authority", id="no name"),
        pytest.param({"authority": "shop"}, "a task has 1 to 32", id="nothing to do"),
        pytest.param(TASK | {"checks": [CHECK, CHECK]}, "each of another name", id="two of a name"),
        pytest.param(TASK | {"checks": [CHECK | {"name": f"c{n}"} for n in range(33)]}, "1 to 32", id="too much to do"),
        pytest.param(TASK | {"checks": {}}, "checks", id="no list"),
        pytest.param(TASK | {"checks": ["smoke"]}, "checks[0]", id="no check"),
        pytest.param(TASK | {"url": "http://else"}, "the task has a field that is not known", id="an unknown field"),
        pytest.param(TASK | {"checks": [CHECK | {"url": "x"}]}, "checks[0] has a field", id="an unknown field of a check"),
        pytest.param(TASK | {"checks": [CHECK | {"kind": "exec"}]}, "checks[0].kind", id="an unknown kind"),
        pytest.param(TASK | {"checks": [CHECK | {"kind": "tcp", "path": "/"}]}, "checks[0] has a field", id="a field of another kind"),
        pytest.param(TASK | {"checks": [CHECK | {"host": "a/b"}]}, "checks[0].host", id="a host that is none"),
        pytest.param(TASK | {"checks": [CHECK | {"path": "/ HTTP/1.1\r\nX: y"}]}, "checks[0].path", id="a path that is more than one"),
        pytest.param(TASK | {"checks": [CHECK | {"path": "//else" + "x" * 2000}]}, "checks[0].path", id="a path that is too long"),
        pytest.param(TASK | {"checks": [CHECK | {"port": 0}]}, "checks[0].port", id="a port that is none"),
        pytest.param(TASK | {"checks": [CHECK | {"port": True}]}, "checks[0].port", id="a truth is no number"),
        pytest.param(TASK | {"checks": [CHECK | {"count": 1.5}]}, "checks[0].count", id="half a request"),
        pytest.param(TASK | {"checks": [CHECK | {"intervalSeconds": float("nan")}]}, "checks[0].intervalSeconds", id="no number at all"),
        pytest.param(TASK | {"checks": [CHECK | {"expectStatus": []}]}, "checks[0].expectStatus", id="no status can be right"),
        pytest.param(TASK | {"checks": [CHECK | {"expectStatus": ["200"]}]}, "checks[0].expectStatus", id="a status as text"),
        pytest.param({"authority": "shop", "probes": [CHECK]}, "probes[0].burst", id="a probe without a burst"),
        pytest.param({"authority": "shop", "probes": [PROBE | {"rate": 5000}]}, "probes[0].rate", id="a probe that is a load"),
        pytest.param({"authority": "a\r\nb", "checks": [CHECK]}, "authority", id="a name that is more than one"),
    ],
)  # fmt: skip
def test_a_task_that_cannot_be_used_names_the_field(task: Any, field: str) -> None:
    with pytest.raises(BadTask) as caught:
        parse(task if isinstance(task, str) else json.dumps(task))
    assert field in str(caught.value)


KEYS = st.sampled_from(["authority", "checks", "probes", "name", "kind", "host", "port", "burst"])
VALUES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9)
DOCUMENTS = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=9)


@given(st.text(max_size=40) | DOCUMENTS.map(json.dumps))
def test_any_other_document_is_a_bad_task_and_no_crash(text: str) -> None:
    with pytest.raises(BadTask):
        parse(text)
