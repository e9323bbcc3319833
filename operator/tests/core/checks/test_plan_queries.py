"""Checks by query as they are planned: when they are asked, and what their answers do to a release."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import SECOND, SPEC, checks, lead, released
from tests.core.worlds import World, body, condition, decide, settle, with_spec

from hardened.core.model.manifest import Manifest
from hardened.core.model.measurement import Sample

QUERY = {"query": 'errors{color="$(color)",ns="$(namespace)"}', "max": 0.01, "interval": "2s", "failureLimit": 1}
MEASURED = {**SPEC, "verify": {"afterCutover": {"window": "10s", "checks": [{"name": "errors", "prometheus": QUERY}]}}}


def measured(sample: Sample) -> tuple[Manifest, World, Any]:
    """A service whose second revision serves, and Prometheus answers with this sample from then on."""
    cr, world = body(MEASURED), World()
    world.samples["errors"] = Sample(0.0)
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Cutover")
    world.samples["errors"] = sample
    world.asked.clear()
    return cr, world, now


def test_a_query_is_asked_at_its_interval_and_passes_a_release() -> None:
    cr, world, now = measured(Sample(0.0))
    now = released(cr, world, now, until="Keep")
    assert set(world.asked) == {'errors{color="green",ns="market"}'}
    assert 5 <= len(world.asked) <= 7
    assert checks(cr)["errors"] == "Passed"


def test_a_query_out_of_bounds_more_often_than_borne_switches_back() -> None:
    cr, world, now = measured(Sample(0.5))
    released(cr, world, now)
    assert lead(world)["color"] == "blue"
    assert "check errors failed: 0.5, above 0.01; 2 of 2 times" in cr["status"]["pin"]["message"]


@pytest.mark.parametrize("sample", [Sample(None, "no answer"), Sample(float("nan"))], ids=["nothing", "NaN"])
def test_no_data_neither_passes_nor_fails_until_its_deadline(sample: Sample) -> None:
    cr, world, now = measured(sample)
    settle(cr, world, now)
    world.follow(now)
    settle(cr, world, now + timedelta(minutes=5))
    assert cr["status"]["release"]["step"] == "VerifyAfter"
    settle(cr, world, now + timedelta(minutes=11))
    released(cr, world, now + timedelta(minutes=11))
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert "NoData" in cr["status"]["pin"]["reason"]


@pytest.mark.parametrize("path", ["beforeCutover", "afterCutover"])
def test_nothing_passes_before_one_number_was_within_its_bounds(path: str) -> None:
    check = {"name": "errors", "prometheus": {**QUERY, "failureLimit": 3}}
    verify = {"beforeCutover": [check]} if path == "beforeCutover" else {"afterCutover": {"window": "2s", "checks": [check]}}
    cr, world = body({**SPEC, "verify": verify}), World()
    world.samples["errors"] = Sample(0.5)
    now = released(cr, world, until="VerifyBefore" if path == "beforeCutover" else "VerifyAfter")
    step = cr["status"]["release"]["step"]
    for _ in range(2):
        now += 2 * SECOND
        settle(cr, world, now)
        world.follow(now)
    assert cr["status"]["release"]["step"] == step
    world.samples["errors"] = Sample(0.0)
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_a_query_that_cannot_work_rejects_before_the_cutover() -> None:
    cr, world = body({**SPEC, "verify": {"beforeCutover": [{"name": "errors", "prometheus": QUERY}]}}), World()
    world.samples["errors"] = Sample(None, "the query does not work: parse error", is_final=True)
    released(cr, world)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert "check errors failed: the query does not work: parse error" in cr["status"]["pin"]["message"]


def test_a_query_that_cannot_work_fails_at_once() -> None:
    cr, world, now = measured(Sample(None, "parse error", is_final=True))
    released(cr, world, now)
    assert "check errors failed: parse error" in cr["status"]["pin"]["message"]


def test_a_version_whose_pods_all_go_is_taken_back_before_anybody_is_asked() -> None:
    cr, world, now = measured(Sample(0.0))
    now = released(cr, world, now, until="VerifyAfter")
    world.dead.add("shop-green")
    world.follow(now)
    world.asked.clear()
    settle(cr, world, now + timedelta(seconds=3))
    assert (cr["status"]["release"]["step"], world.asked) == ("SwitchBack", [])
    assert lead(world)["color"] == "blue"


def test_a_query_that_is_due_is_asked_although_the_spec_was_away_for_a_moment() -> None:
    cr, world, now = measured(Sample(0.0))
    stable = {**cr["spec"], "image": SPEC["image"]}
    now = released(cr, world, now, until="VerifyAfter")
    left = decide({**cr, "spec": stable}, world, now)
    assert [step.manifest["kind"] for step in left.apply] == ["ControllerRevision"], "marked as left, and then the spec was back"
    world.write(left)
    settle(cr, world, now + 12 * SECOND)
    world.follow(now + 12 * SECOND)
    world.samples["errors"] = Sample(None, "parse error", is_final=True)
    settle(cr, world, now + 14 * SECOND)
    assert (cr["status"]["release"]["step"], lead(world)["color"]) == ("SwitchBack", "blue")
