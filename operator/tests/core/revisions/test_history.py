"""Revisions are numbered, bounded, and missed only when somebody else removed them."""

from typing import Any

import pytest

from hardened.core.model.manifest import ChildKey, Manifest, digest
from hardened.core.revisions.history import BYTES_LIMIT, History, entries, files_key, revision_label

LIMIT = 10


def fields(number: int) -> Manifest:
    return {"image": f"shop:{number}"}


def name(number: int) -> str:
    """The revision with this image: a hash of its fields."""
    return digest({"scheme": "1", "fields": fields(number)})


def stored(number: int, **meta: Any) -> Manifest:
    created = f"2026-01-01T00:00:{number:02}Z"
    return {
        "kind": "ControllerRevision",
        "metadata": {"name": f"my-shop-{name(number)}", "creationTimestamp": created, **meta},
        "revision": number,
        "data": {"scheme": "1", "fields": fields(number), "template": {}},
    }


def entry(number: int, **more: Any) -> Manifest:
    return {"revision": name(number), "image": f"shop:{number}", "createdAt": f"2026-01-01T00:00:{number:02}Z", **more}


def kept(*numbers: int) -> History:
    return History.of([stored(n) for n in numbers])


def test_only_revisions_count_and_they_are_in_order() -> None:
    children = [stored(2), {"kind": "Service", "metadata": {"name": "shop"}}, stored(1)]
    gone = stored(3, deletionTimestamp="2026-01-01T00:00:09Z")
    assert [r["revision"] for r in History.of([*children, gone]).revisions] == [1, 2]


def test_a_revision_is_found_by_its_name_whatever_its_labels_say() -> None:
    found = History.of([stored(1, labels={"hardened.dev/revision": "forged"}), stored(2)]).named(name(1))
    assert found
    assert found["revision"] == 1


@pytest.mark.parametrize(
    ("numbers", "revision", "expected"),
    [
        pytest.param([], name(99), 1, id="the first is number 1"),
        pytest.param([1, 2], name(99), 3, id="a new one is the next"),
        pytest.param([1, 7], name(99), 8, id="a gap is not filled"),
        pytest.param([1, 2, 3], name(2), 2, id="going back keeps the number: what is stored never changes"),
    ],
)
def test_numbers(numbers: list[int], revision: str, expected: int) -> None:
    assert kept(*numbers).number_for(revision) == expected


@pytest.mark.parametrize(
    ("count", "in_use", "expected"),
    [
        pytest.param(LIMIT, [], [], id="within the limit nothing goes"),
        pytest.param(LIMIT + 1, [], [1], id="the oldest goes first"),
        pytest.param(LIMIT + 3, [], [1, 2, 3], id="as many go as are too many"),
        pytest.param(LIMIT + 2, [1, 2], [3, 4], id="one in use never goes, the next does"),
        pytest.param(LIMIT + 1, range(1, LIMIT + 2), [], id="all are in use"),
    ],
)
def test_surplus(count: int, in_use: list[int], expected: list[int]) -> None:
    found = kept(*range(1, count + 1)).surplus(frozenset(map(name, in_use)), LIMIT)
    assert [r["revision"] for r in found] == expected


def large(number: int, **meta: Any) -> Manifest:
    """A revision of a quarter of what a service may have."""
    live = stored(number, **meta)
    return live | {"data": live["data"] | {"template": {"text": "x" * (BYTES_LIMIT // 4 - 200)}}}


@pytest.mark.parametrize(
    ("revisions", "in_use", "expected"),
    [
        pytest.param([large(n) for n in range(1, 5)], [], [], id="within the bytes nothing goes"),
        pytest.param([large(n) for n in range(1, 7)], [], [1, 2], id="the oldest go first"),
        pytest.param([large(n) for n in range(1, 7)], [1, 2, 6], [3, 4], id="one in use never goes"),
        pytest.param([large(n) for n in range(1, 7)], range(1, 7), [], id="all are in use"),
        pytest.param([large(n) for n in range(1, LIMIT + 2)], [], range(1, LIMIT - 2), id="beyond both limits each goes once"),
    ],
)  # fmt: skip
def test_the_bytes_of_a_history_are_bounded(revisions: list[Manifest], in_use: list[int], expected: list[int]) -> None:
    found = History.of(revisions).surplus(frozenset(map(name, in_use)), LIMIT)
    assert [r["revision"] for r in found] == list(expected)


def test_one_that_went_for_its_bytes_is_not_missing() -> None:
    before = [entry(n) for n in range(1, 7)]
    assert entries(History.of([large(n) for n in range(3, 7)]), before, LIMIT) == before[2:]


FULL = range(2, LIMIT + 2)


@pytest.mark.parametrize(
    ("numbers", "before", "expected"),
    [
        pytest.param([], [], [], id="nothing yet"),
        pytest.param([1, 2], [], [entry(1), entry(2)], id="what is stored, oldest first"),
        pytest.param([1, 2], [entry(1)], [entry(1), entry(2)], id="a new one joins"),
        pytest.param(
            [2], [entry(1), entry(2)], [entry(1, missing=True), entry(2)], id="somebody deleted one: it is missing"
        ),
        pytest.param([1], [entry(1, missing=True)], [entry(1)], id="one that is back is not missing"),
        pytest.param([2], [entry(1, missing=True)], [entry(1, missing=True), entry(2)], id="it stays missing"),
        pytest.param(
            FULL, [entry(n) for n in range(1, LIMIT + 1)], [entry(n) for n in FULL],
            id="one that was pruned at the limit is not missing",
        ),
        pytest.param([1], ["forged", None, 7], [entry(1)], id="what is not an entry is ignored"),
    ],
)  # fmt: skip
def test_entries(numbers: list[int], before: list[Any], expected: list[Any]) -> None:
    assert entries(kept(*numbers), before, LIMIT) == expected


def test_the_status_list_is_bounded_whatever_a_forged_status_says() -> None:
    forged = [{**entry(n % 60), "revision": f"x{n}"} for n in range(500)]
    assert len(entries(kept(1, 2), forged, LIMIT)) == LIMIT


def test_files_go_with_their_revision() -> None:
    assert files_key(stored(1)) == ChildKey("ConfigMap", f"my-shop-{name(1)}")


def test_an_object_without_labels_has_no_revision() -> None:
    assert revision_label({"metadata": {}}) == ""
