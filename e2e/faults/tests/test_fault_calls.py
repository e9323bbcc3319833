"""Requests are told apart in the words of RBAC, and faults find their calls."""

from __future__ import annotations

import pytest

from e2e.faults import (
    FOREVER,
    Answer,
    Call,
    Drop,
    EndWatch,
    Fault,
    Kill,
    Moment,
    Operation,
    Where,
    dump_calls,
    load_calls,
)
from e2e.faults.armed import Armed, pick
from e2e.faults.calls import parse_operation

APPLY = "application/apply-patch+yaml"


@pytest.mark.parametrize(
    ("method", "target", "content_type", "body", "expected"),
    [
        pytest.param("GET", "/api/v1/pods?limit=500", "", b"", Operation(verb="list", resource="pods"), id="a list of all namespaces"),
        pytest.param("GET", "/api/v1/namespaces/a/pods", "", b"", Operation(verb="list", resource="pods", namespace="a"), id="a list"),
        pytest.param(
            "GET",
            "/api/v1/namespaces/a/pods/b",
            "",
            b"",
            Operation(verb="get", resource="pods", namespace="a", name="b"),
            id="a get",
        ),
        pytest.param("GET", "/api/v1/nodes/b", "", b"", Operation(verb="get", resource="nodes", name="b"), id="a get outside namespaces"),
        pytest.param("GET", "/api/v1/namespaces", "", b"", Operation(verb="list", resource="namespaces"), id="namespaces themselves"),
        pytest.param(
            "GET",
            "/api/v1/namespaces/a",
            "",
            b"",
            Operation(verb="get", resource="namespaces", namespace="a", name="a"),
            id="one namespace",
        ),
        pytest.param(
            "PUT",
            "/api/v1/namespaces/a/finalize",
            "",
            b"",
            Operation(verb="update", resource="namespaces", subresource="finalize", namespace="a", name="a"),
            id="its finalizers",
        ),
        pytest.param(
            "GET",
            "/apis/apps/v1/deployments?watch=true&x=",
            "",
            b"",
            Operation(verb="watch", group="apps", resource="deployments"),
            id="a watch",
        ),
        pytest.param(
            "GET",
            "/api/v1/watch/namespaces/a/pods",
            "",
            b"",
            Operation(verb="watch", resource="pods", namespace="a"),
            id="a watch in the old form",
        ),
        pytest.param(
            "GET",
            "/api/v1/namespaces/a/pods?watch=1&fieldSelector=metadata.name%3Db",
            "",
            b"",
            Operation(verb="watch", resource="pods", namespace="a", name="b"),
            id="a watch of one object",
        ),
        pytest.param(
            "POST",
            "/apis/batch/v1/namespaces/a/jobs",
            "",
            b'{"metadata":{"name":"b"}}',
            Operation(verb="create", group="batch", resource="jobs", namespace="a", name="b"),
            id="a create has its name inside",
        ),
        pytest.param(
            "POST",
            "/apis/batch/v1/namespaces/a/jobs",
            "",
            b'{"metadata":{"generateName":"b-"}}',
            Operation(verb="create", group="batch", resource="jobs", namespace="a", name="b-*"),
            id="or half of it",
        ),
        pytest.param(
            "POST",
            "/api/v1/namespaces/a/pods",
            "",
            b"\x00proto",
            Operation(verb="create", resource="pods", namespace="a"),
            id="or none that can be read",
        ),
        pytest.param(
            "POST",
            "/api/v1/namespaces/a/pods/b/eviction",
            "",
            b"{}",
            Operation(verb="create", resource="pods", subresource="eviction", namespace="a", name="b"),
            id="an eviction",
        ),
        pytest.param(
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/b?fieldManager=x&force=true",
            APPLY,
            b"",
            Operation(verb="apply", group="apps", resource="deployments", namespace="a", name="b"),
            id="an apply",
        ),
        pytest.param(
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/b/status",
            "application/merge-patch+json",
            b"",
            Operation(verb="patch", group="apps", resource="deployments", subresource="status", namespace="a", name="b"),
            id="a patch",
        ),
        pytest.param(
            "DELETE",
            "/api/v1/namespaces/a/pods/b",
            "",
            b"",
            Operation(verb="delete", resource="pods", namespace="a", name="b"),
            id="a delete",
        ),
        pytest.param(
            "DELETE",
            "/api/v1/namespaces/a/pods?labelSelector=x",
            "",
            b"",
            Operation(verb="deletecollection", resource="pods", namespace="a"),
            id="a delete of many",
        ),
        pytest.param(
            "PATCH",
            "/api/v1/namespaces/a/pods/b?dryRun=All",
            APPLY,
            b"",
            Operation(verb="apply", resource="pods", namespace="a", name="b", dry_run=True),
            id="a dry run",
        ),
        pytest.param("GET", "/version", "", b"", Operation(verb="get", name="/version"), id="a path outside the API"),
        pytest.param("GET", "/apis/apps/v1", "", b"", Operation(verb="get", name="/apis/apps/v1"), id="discovery"),
    ],
)
def test_a_request_is_an_operation(method: str, target: str, content_type: str, body: bytes, expected: Operation) -> None:
    assert parse_operation(method, target, {"Content-Type": content_type}, body) == expected


@pytest.mark.parametrize(
    ("operation", "is_write"),
    [
        pytest.param(Operation(verb="apply", resource="pods"), True, id="an apply"),
        pytest.param(Operation(verb="apply", resource="pods", dry_run=True), False, id="a dry run"),
        pytest.param(Operation(verb="create", group="authorization.k8s.io", resource="selfsubjectaccessreviews"), False, id="a question"),
        pytest.param(Operation(verb="watch", resource="pods"), False, id="a watch"),
    ],
)
def test_only_what_can_change_the_cluster_is_a_write(operation: Operation, is_write: bool) -> None:
    assert operation.is_write is is_write


GET = Operation(verb="get", resource="pods", name="a")
WRITE = Operation(verb="apply", group="apps", resource="deployments", name="shop-green")
LEASE = Operation(verb="update", group="coordination.k8s.io", resource="leases", name="leader")
RUN = (GET, LEASE, WRITE, LEASE, GET, WRITE, WRITE)


@pytest.mark.parametrize(
    ("fault", "hit"),
    [
        pytest.param(Fault(Where(), Drop()), [0], id="the first call"),
        pytest.param(Fault(Where(nth=2), Drop()), [2], id="the second call, leases not counted"),
        pytest.param(Fault(Where(nth=2, background=True), Drop()), [1], id="the second call of all"),
        pytest.param(Fault(Where(resource="leases", nth=2), Drop()), [3], id="leases by their name"),
        pytest.param(Fault(Where(is_write=True, nth=2), Drop()), [5], id="the second write"),
        pytest.param(Fault(Where(verb="apply", resource="deployments", name="shop-*", nth=3), Drop()), [6], id="the third of one sort"),
        pytest.param(Fault(Where(group="batch"), Drop()), [], id="nothing fits"),
        pytest.param(Fault(Where(is_write=True), Drop(), times=2), [2, 5], id="twice"),
        pytest.param(Fault(Where(is_write=True, nth=2), Drop(), times=FOREVER), [5, 6], id="for ever"),
        pytest.param(Fault(Where(), Drop(), seconds=4), [0, 2], id="for a time: one call a second"),
        pytest.param(Fault(Where(), Drop(), seconds=5, times=1), [0, 2, 4], id="a second longer"),
    ],
)
def test_a_fault_hits_the_calls_that_it_says(fault: Fault, hit: list[int]) -> None:
    armed = [Armed(fault)]
    assert [second for second, operation in enumerate(RUN) if pick(armed, operation, float(second))] == hit


def test_the_first_due_fault_wins_and_the_others_go_on_counting() -> None:
    first, second = Fault(Where(nth=2), Drop()), Fault(Where(nth=3), Answer(500))
    armed = [Armed(first), Armed(second)]
    assert [pick(armed, GET, 0.0) for _ in range(4)] == [None, first, second, None]


@pytest.mark.parametrize(
    ("where", "what"),
    [
        pytest.param(Where(), EndWatch(), id="a stream fault without a watch"),
        pytest.param(Where(), Drop(Moment.AFTER_REPLY), id="a reset after the reply"),
        pytest.param(Where(verb="watch"), Kill(Moment.AFTER_REPLY), id="a kill after the end of a watch"),
    ],
)
def test_a_fault_that_cannot_happen_is_refused(where: Where, what: Drop) -> None:
    with pytest.raises(ValueError, match=r"watch|reply"):
        Fault(where, what)


def test_a_recorded_run_survives_a_file() -> None:
    calls = (Call(index=0, verb="get", name="/version", started=1.5), Call(index=1, verb="list", resource="pods", started=2, code=200))
    assert load_calls(dump_calls(calls)) == calls
