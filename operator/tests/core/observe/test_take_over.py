"""Whose fields we take when merging with them is refused."""

from typing import Any

from hardened.core.observe.ownership import ports_taken_over, taken_over

OURS = {"manager": "hardened", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:spec": {"f:ports": {"a": {}}}}}


def theirs(fields: dict[str, Any], **entry: str) -> dict[str, Any]:
    return {"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "fieldsV1": fields, **entry}


def taken(*entries: dict[str, Any]) -> list[dict[str, Any]] | None:
    return taken_over({"metadata": {"managedFields": list(entries)}}, "hardened")


def test_what_others_set_in_the_spec_becomes_ours_and_their_metadata_stays_theirs() -> None:
    found = taken(OURS, theirs({"f:spec": {"f:ports": {"b": {}}}, "f:metadata": {"f:labels": {}}}))
    assert found == [
        {**OURS, "fieldsV1": {"f:spec": {"f:ports": {"a": {}, "b": {}}}}},
        theirs({"f:metadata": {"f:labels": {}}}),
    ]


def test_a_restart_that_somebody_asked_for_stays_theirs() -> None:
    restarted = {"f:metadata": {"f:annotations": {"f:restartedAt": {}}}}
    found = taken(OURS, theirs({"f:spec": {"f:template": {**restarted, "f:spec": {"f:containers": {}}}}}))
    assert found
    assert found[0]["fieldsV1"]["f:spec"] == {"f:ports": {"a": {}}, "f:template": {"f:spec": {"f:containers": {}}}}
    assert found[1:] == [theirs({"f:spec": {"f:template": restarted}})]


def test_there_may_be_nothing_to_take() -> None:
    assert taken(OURS) is None
    assert taken(OURS, theirs({"f:spec": {"f:replicas": {}}}, subresource="scale")) is None
    assert taken(OURS, theirs({"f:status": {}})) is None
    assert taken(theirs({"f:spec": {"f:ports": {}}})) is None


HTTP, NODE_PORT = {".": {}, "f:name": {}, "f:port": {}, "f:targetPort": {}}, {"f:nodePort": {}}
KEY = 'k:{"port":80,"protocol":"TCP"}'


def ports_of(*entries: dict[str, Any]) -> list[dict[str, Any]] | None:
    return ports_taken_over({"metadata": {"managedFields": list(entries)}}, "hardened")


def test_the_ports_of_a_service_that_is_taken_over_become_ours_and_its_node_ports_stay_theirs() -> None:
    made = theirs({"f:spec": {"f:type": {}, "f:ports": {".": {}, KEY: {**HTTP, **NODE_PORT}}}}, fieldsType="FieldsV1", time="t")
    found = ports_of(made, theirs({"f:metadata": {}}, manager="helm"))
    assert found == [
        {**made, "manager": "hardened", "operation": "Apply", "fieldsV1": {"f:spec": {"f:ports": {KEY: HTTP}}}},
        {**made, "fieldsV1": {"f:spec": {"f:type": {}, "f:ports": {KEY: NODE_PORT}}}},
        theirs({"f:metadata": {}}, manager="helm"),
    ]
    assert ports_of(*found) is None, "once is enough"


def test_what_we_have_applied_already_stays_ours() -> None:
    found = ports_of(OURS, theirs({"f:spec": {"f:ports": {KEY: HTTP}}}))
    assert found == [{**OURS, "fieldsV1": {"f:spec": {"f:ports": {"a": {}, KEY: HTTP}}}}]


def test_of_ports_that_nobody_holds_nothing_is_taken() -> None:
    assert ports_of() is None
    assert ports_of(OURS, theirs({"f:status": {}}, subresource="status")) is None
