"""Releases and probes are counted once, by how they have ended."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from hardened.api.steps import Step
from hardened.core.model.proof import Counts, Proof
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import Target
from hardened.core.model.written import Stable, proof_written, rejection_written, stable_written, written
from hardened.shell.release_metrics import ReleaseMetrics
from hardened.shell.workqueue import Key

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WEB = Key("shop", "web")
OLD, NEW = Target("blue", "one"), Target("green", "two")
PREVIEW = ReleaseState(NEW, "k", Step.PREVIEW, START)
CUTOVER, WATCHED = replace(PREVIEW, step=Step.CUTOVER), replace(PREVIEW, step=Step.VERIFY_AFTER, cutover_at=START + 9 * SECOND)
KEPT, BACK = replace(WATCHED, step=Step.KEEP), replace(WATCHED, step=Step.SWITCH_BACK)
BACK_TO = replace(CUTOVER, is_rollback=True)
PIN = Rejection("two", "k", Reason.CHECK_FAILED, "no")


def status(
    record: ReleaseState | None = None, *, stable: Target = OLD, pin: Rejection | None = None, proof: Proof | None = None
) -> dict[str, Any]:
    return {
        "stable": stable_written(Stable(stable, 1)),
        **({"release": written(record)} if record else {}),
        **({"pin": rejection_written(pin)} if pin else {}),
        **({"proof": proof_written(proof)} if proof else {}),
    }


def seen(*statuses: dict[str, Any], every: timedelta = SECOND) -> CollectorRegistry:
    """What is told once these were seen, a second after each other."""
    registry = CollectorRegistry()
    metrics = ReleaseMetrics(registry)
    for at, each in enumerate(statuses):
        metrics.saw(WEB, each, START + at * every)
    return registry


def results(registry: CollectorRegistry) -> dict[str, float]:
    (found,) = [family for family in registry.collect() if family.name == "hardened_releases"]
    return {sample.labels["result"]: sample.value for sample in found.samples if sample.name.endswith("_total")}


PROMOTED = [status(), status(PREVIEW), status(CUTOVER), status(WATCHED), status(KEPT, stable=NEW), status(stable=NEW)]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param(PROMOTED, {"promoted": 1}, id="promoted"),
        pytest.param([*PROMOTED[:4], status(stable=NEW)], {"promoted": 1}, id="promoted, and nothing to keep"),
        pytest.param(PROMOTED[:4], {}, id="it goes on"),
        pytest.param([*PROMOTED, PROMOTED[3], *PROMOTED[3:]], {"promoted": 1}, id="what was seen before comes again"),
        pytest.param(PROMOTED[3:], {"promoted": 1}, id="another process began it"),
        pytest.param(PROMOTED[4:], {}, id="another process counted it"),
        pytest.param([status(PREVIEW), status(pin=PIN)], {"rejected": 1}, id="rejected"),
        pytest.param([status(PREVIEW), status(pin=replace(PIN, key="other"))], {"superseded": 1}, id="by a spec that was rejected"),
        pytest.param([status(PREVIEW), status(replace(PREVIEW, started_at=START + SECOND))], {"superseded": 1}, id="superseded"),
        pytest.param([status(WATCHED), status(replace(BACK, is_rejected=True)), status(pin=PIN)], {"rolled_back": 1}, id="taken back"),
        pytest.param([status(WATCHED), status(BACK), status()], {"superseded": 1}, id="the spec went back"),
        pytest.param([status(BACK_TO), status(replace(BACK_TO, step=Step.KEEP), stable=NEW)], {"rolled_back": 1}, id="back by hand"),
        pytest.param([status(BACK_TO), status()], {"failed": 1}, id="back by hand, in vain"),
    ],
)
def test_a_release_is_counted_once_by_how_it_ended(statuses: list[dict[str, Any]], expected: dict[str, float]) -> None:
    assert results(seen(*statuses)) == expected


def test_a_service_that_goes_takes_its_release_along() -> None:
    registry = CollectorRegistry()
    metrics = ReleaseMetrics(registry)
    metrics.saw(WEB, status(PREVIEW), START)
    assert registry.get_sample_value("hardened_releases_at_work") == 1
    metrics.forget(WEB, START + SECOND)
    assert results(registry) == {"superseded": 1}
    assert registry.get_sample_value("hardened_releases_at_work") == 0


def test_how_long_a_release_and_its_cutover_take() -> None:
    registry = seen(*PROMOTED, every=3 * SECOND)
    assert registry.get_sample_value("hardened_release_seconds_sum") == 12
    assert registry.get_sample_value("hardened_cutover_seconds_sum") == 9 - 6
    begun_by_another = seen(*PROMOTED[2:])
    assert begun_by_another.get_sample_value("hardened_cutover_seconds_count") == 0
    assert seen(status(), status(CUTOVER), status(PREVIEW), status(WATCHED)).get_sample_value("hardened_cutover_seconds_count") == 0


PROOF = Proof(NEW, START, Counts(200, 3))
WHOLE = replace(PROOF, removal=Counts(600, 0))


@pytest.mark.parametrize(
    ("proofs", "cutover", "removal"),
    [
        pytest.param([None, PROOF, PROOF, WHOLE, WHOLE], 200, 600, id="one after the other"),
        pytest.param([None, WHOLE], 200, 600, id="both"),
        pytest.param([PROOF, WHOLE], None, 600, id="another process counted the first"),
        pytest.param([WHOLE, replace(WHOLE, started_at=START + SECOND)], 200, 600, id="of two releases"),
    ],
)
def test_a_probe_is_counted_once(proofs: list[Proof | None], cutover: float | None, removal: float | None) -> None:
    registry = seen(*(status(proof=proof) for proof in proofs))
    found = [registry.get_sample_value("hardened_probe_requests_total", {"probe": probe}) for probe in ("cutover", "removal")]
    assert found == [cutover, removal]
    assert registry.get_sample_value("hardened_probe_failures_total", {"probe": "cutover"}) == (None if cutover is None else 3)
