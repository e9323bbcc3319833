import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from hardened.shell import cache as caching
from hardened.shell.cache import Cache
from hardened.shell.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HARDENED_SERVICE,
    HARDENED_SERVICE_ACTION,
    HORIZONTAL_POD_AUTOSCALER,
    POD,
    POD_DISRUPTION_BUDGET,
    SERVICE,
    Kind,
)
from hardened.shell.workqueue import Key

WEB = Key("shop", "web")
SERVICES = ("web", "a", "b", "c", "d", "e", "other")


def body(name: str = "web-blue", version: int = 1, uid: str = "u1", service: str | None = "web", **meta: Any) -> dict[str, Any]:
    labels = {} if service is None else {"hardened.dev/service": service}
    return {"metadata": {"namespace": "shop", "name": name, "uid": uid, "resourceVersion": str(version), "labels": labels, **meta}}


def owner(name: str) -> list[dict[str, Any]]:
    return [{"apiVersion": "hardened.dev/v1alpha1", "kind": "HardenedService", "name": name, "uid": "s", "controller": True}]


def watching(*, services: tuple[str, ...] = SERVICES, **how: Any) -> Cache:
    """A cache that knows these services of the namespace."""
    cache = Cache(**how)
    for name in services:
        assert cache.see(HARDENED_SERVICE, "ADDED", body(name, uid=f"s-{name}", service=None)) == Key("shop", name)
    return cache


def version(cache: Cache, name: str = "web-blue") -> str | None:
    known = cache._entries.get((DEPLOYMENT.name, "shop", name))
    return known and known.version


@pytest.mark.parametrize(
    ("events", "expected", "kept"),
    [
        pytest.param([("ADDED", body())], WEB, "1", id="a new child"),
        pytest.param([(None, body())], WEB, "1", id="a child from the initial list"),
        pytest.param([("ADDED", body()), ("MODIFIED", body(version=2))], WEB, "2", id="a changed child"),
        pytest.param([("ADDED", body()), ("MODIFIED", body())], None, "1", id="the same state again is nothing new"),
        pytest.param([("ADDED", body(version=10)), ("MODIFIED", body(version=9))], None, "10", id="10 is later than 9"),
        pytest.param([("ADDED", body()), ("DELETED", body(version=2))], WEB, None, id="a deleted child"),
        pytest.param([("DELETED", body(version=2))], None, None, id="a deletion of what was not known"),
        pytest.param([("DELETED", body(version=3)), ("MODIFIED", body(version=2))], None, None, id="a late event of a deleted child"),
        pytest.param(
            [("DELETED", body(version=3)), ("MODIFIED", body(version=2, deletionTimestamp="t"))], None, None, id="however it was marked"
        ),
        pytest.param([("ADDED", body()), ("DELETED", body(version=2)), ("ADDED", body(version=3, uid="u2"))], WEB, "3", id="a successor"),
        pytest.param([("ADDED", body(version=3, uid="u2")), ("DELETED", body(version=2))], None, "3", id="the deletion of a predecessor"),
        pytest.param([("ADDED", body(version=3, uid="u2")), ("MODIFIED", body(version=2))], None, "3", id="a late event of a predecessor"),
        pytest.param([("ADDED", body(service=None))], None, "1", id="an object of no service"),
        pytest.param([("ADDED", body(service=None, ownerReferences=owner("web")))], WEB, "1", id="a child whose label was stripped"),
        pytest.param([("ADDED", body(service="x", ownerReferences=owner("web")))], WEB, "1", id="the controller goes before the label"),
        pytest.param([("ADDED", body()), ("MODIFIED", body(version=2, service=None))], WEB, "2", id="a child that leaves"),
        pytest.param([("ADDED", body()), ("MODIFIED", body(version=2, service="x"))], WEB, "2", id="a child that goes to another service"),
        pytest.param([("ADDED", body(labels=None))], None, "1", id="labels can be null"),
    ],
)
def test_what_the_last_event_asks_to_look_at(events: list[tuple[str | None, Any]], expected: Key | None, kept: str | None) -> None:
    cache = watching()
    asked = [cache.see(DEPLOYMENT, event, obj) for event, obj in events][-1]
    assert (asked, version(cache)) == (expected, kept)


def test_versions_that_are_no_numbers_are_only_told_apart() -> None:
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body(resourceVersion="abc"))
    assert cache.see(DEPLOYMENT, "MODIFIED", body(resourceVersion="abc")) is None
    assert cache.see(DEPLOYMENT, "MODIFIED", body(resourceVersion="abb")) == WEB


def test_children_are_those_of_the_service_and_of_every_kind() -> None:
    cache = watching(services=("web", "other"))
    for kind, name, service in [(DEPLOYMENT, "web-blue", "web"), (SERVICE, "web", "web"), (POD, "x", "other"), (CONFIG_MAP, "y", None)]:
        cache.see(kind, "ADDED", body(name, uid=f"{kind}{name}", service=service))
    assert {child["metadata"]["name"] for child in cache.children("shop", "web")} == {"web-blue", "web"}
    assert cache.children("shop", "nobody") == cache.children("other", "web") == ()
    assert cache.services() == (WEB, Key("shop", "other"))
    cache.see(DEPLOYMENT, "MODIFIED", body(version=2, uid=f"{DEPLOYMENT}web-blue", service="other"))
    assert {child["metadata"]["name"] for child in cache.children("shop", "web")} == {"web"}
    assert {child["metadata"]["name"] for child in cache.children("shop", "other")} == {"x", "web-blue"}


def test_an_action_belongs_to_the_service_that_it_names_whoever_owns_it() -> None:
    cache = watching()
    action = body("a", service="other", ownerReferences=owner("another")) | {"kind": "HardenedServiceAction", "spec": {"service": "web"}}
    assert cache.see(HARDENED_SERVICE_ACTION, "ADDED", action) == WEB
    assert [live["metadata"]["name"] for live in cache.children(*WEB)] == ["a"]
    assert cache.see(HARDENED_SERVICE_ACTION, "ADDED", body("b", uid="u2")) == Key("shop", "")


def test_our_own_write_is_known_at_once_and_its_echo_is_no_news() -> None:
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body(version=1))
    cache.wrote(DEPLOYMENT, body(version=3))
    assert cache.see(DEPLOYMENT, "MODIFIED", body(version=2)) is None
    assert cache.see(DEPLOYMENT, "MODIFIED", body(version=3)) is None
    assert version(cache) == "3"


def test_what_we_deleted_does_not_come_back_unless_a_finalizer_holds_it() -> None:
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body(version=1))
    assert cache.deleted(DEPLOYMENT, "shop", "web-blue", "u1") == WEB
    assert cache.see(DEPLOYMENT, "MODIFIED", body(version=2)) is None
    assert version(cache) is None
    assert cache.see(DEPLOYMENT, "MODIFIED", body(version=3, deletionTimestamp="t")) == WEB
    assert cache.see(DEPLOYMENT, "DELETED", body(version=4, deletionTimestamp="t")) == WEB
    assert cache.see(DEPLOYMENT, "MODIFIED", body(version=3, deletionTimestamp="t")) is None


def test_tombstones_are_bounded() -> None:
    cache = watching(tombstones=2)
    for number in range(3):
        cache.deleted(DEPLOYMENT, "shop", "web-blue", f"u{number}")
    assert cache.see(DEPLOYMENT, "ADDED", body(uid="u2")) is None
    assert cache.see(DEPLOYMENT, "ADDED", body(uid="u0")) == WEB


def test_a_fresh_list_drops_what_it_lacks_and_says_what_differs() -> None:
    cache = watching()
    for name, service in [("same", "a"), ("changed", "b"), ("gone", "c")]:
        cache.see(DEPLOYMENT, "ADDED", body(name, uid=name, service=service))
    cache.see(CONFIG_MAP, "ADDED", body("other-kind", uid="k", service="d"))
    listing = cache.listing(DEPLOYMENT, None, "2")
    fresh = [body("same", uid="same", service="a"), body("changed", 2, "changed", "b"), body("new", uid="new", service="e")]
    assert listing.take(fresh[:1]) == set()
    assert listing.take(fresh[1:]) == {Key("shop", "b"), Key("shop", "e")}
    assert listing.end() == {Key("shop", "c")}
    assert [version(cache, name) for name in ("same", "changed", "gone", "new")] == ["1", "2", None, "1"]
    assert (CONFIG_MAP.name, "shop", "other-kind") in cache._entries._all


def test_a_list_does_not_drop_what_is_younger_than_itself() -> None:
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body("old", 1, "1"))
    cache.see(DEPLOYMENT, "ADDED", body("told", 3, "2"))
    cache.wrote(DEPLOYMENT, body("written", 4, "3"))
    assert cache.listing(DEPLOYMENT, "shop", "2").end() == {WEB}
    assert [version(cache, name) for name in ("old", "told", "written")] == [None, "3", "4"]


def test_a_list_of_one_namespace_leaves_the_others_alone() -> None:
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body())
    assert cache.listing(DEPLOYMENT, "blog", "9").end() == set()
    assert version(cache) == "1"


def test_a_stale_list_drops_nothing_and_takes_nothing_back() -> None:
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body("old", 5, "1"))
    cache.see(DEPLOYMENT, "ADDED", body("young", 6, "2"))
    listing = cache.listing(DEPLOYMENT, None, "4")
    assert listing.take([body("old", 4, "1")]) == set()
    assert listing.end() == set()
    assert [version(cache, name) for name in ("old", "young")] == ["5", "6"]


def test_managed_fields_are_left_out_and_the_callers_object_is_left_alone() -> None:
    cache = watching()
    given = body("a", uid="1", managedFields=[{"manager": "x"}])
    cache.see(DEPLOYMENT, "ADDED", given)
    known = cache.get(DEPLOYMENT, "shop", "a")
    assert known is not None
    assert "managedFields" not in known["metadata"]
    assert "managedFields" in given["metadata"]


# ---- news that comes late


def relisted(cache: Cache, *objs: dict[str, Any], version: int = 20) -> None:
    listing = cache.listing(DEPLOYMENT, None, str(version))
    listing.take(objs)
    listing.end()


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(lambda cache: cache.see(DEPLOYMENT, "MODIFIED", body(version=11)), id="an event of the watch before the list"),
        pytest.param(lambda cache: cache.wrote(DEPLOYMENT, body(version=12)), id="the reply to our own write"),
        pytest.param(lambda cache: relisted(cache, body(version=10), version=11), id="an older list"),
    ],
)
def test_what_a_complete_list_lacks_is_not_brought_back_by_what_is_older(late: Callable[[Cache], Any]) -> None:
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body(version=10))
    relisted(cache)
    late(cache)
    assert len(cache) == len(SERVICES)
    assert cache.see(DEPLOYMENT, "ADDED", body(version=21, uid="another")) == WEB


def test_a_stale_list_does_not_let_old_news_in_again() -> None:
    cache = watching()
    relisted(cache, version=20)
    relisted(cache, version=11)
    assert cache.see(DEPLOYMENT, "MODIFIED", body(version=12)) is None
    assert len(cache) == len(SERVICES)


def test_a_list_drops_what_an_older_list_told_while_it_was_under_way() -> None:
    cache = watching()
    newer = cache.listing(DEPLOYMENT, None, "20")
    relisted(cache, body(version=10), version=11)
    assert newer.end() == {WEB}
    assert len(cache) == len(SERVICES)


def test_a_late_end_of_an_earlier_state_drops_nothing() -> None:
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body(version=10))
    cache.wrote(DEPLOYMENT, body(version=13))
    assert cache.see(DEPLOYMENT, "DELETED", body(version=12)) is None
    assert version(cache) == "13"


def test_what_a_budget_counts_is_no_news_and_what_somebody_changes_in_it_is() -> None:
    cache = watching()

    def seen(number: int, spec: int, **more: Any) -> Key | None:
        return cache.see(POD_DISRUPTION_BUDGET, "MODIFIED", body(version=number) | {"spec": {"maxUnavailable": spec}} | more)

    assert seen(1, 1) == WEB
    assert seen(2, 1, status={"currentHealthy": 1}) is None
    assert seen(3, 2, status={"currentHealthy": 2}) == WEB
    (kept,) = cache.children("shop", "web")
    assert (kept["metadata"]["resourceVersion"], kept["spec"], "status" in kept) == ("3", {"maxUnavailable": 2}, False)


def condition(kind: str, status: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": "2030-01-01T00:00:00Z", **more}


@pytest.mark.parametrize(
    ("status", "key"),
    [
        pytest.param({"currentMetrics": [{"type": "ContainerResource"}]}, None, id="what is measured"),
        pytest.param({"currentReplicas": 3, "desiredReplicas": 4, "lastScaleTime": "2030-01-01T00:00:09Z"}, None, id="that it has scaled"),
        pytest.param({"conditions": [condition("AbleToScale", "True", reason="ScaleDownStabilized")]}, None, id="why it waits"),
        pytest.param({"conditions": [condition("AbleToScale", "False", reason="FailedGetScale")]}, WEB, id="that it cannot"),
        pytest.param(
            {"conditions": [condition("AbleToScale", "True"), condition("ScalingLimited", "True", reason="TooManyReplicas")]},
            WEB,
            id="that more is asked for",
        ),
    ],
)
def test_of_an_autoscaler_only_why_it_does_not_scale_is_news(status: dict[str, Any], key: Key | None) -> None:
    cache = watching()
    first = {"conditions": [condition("AbleToScale", "True", reason="ReadyForNewScale", message="…")]}
    cache.see(HORIZONTAL_POD_AUTOSCALER, "ADDED", body(version=1) | {"spec": {}, "status": first})
    assert cache.see(HORIZONTAL_POD_AUTOSCALER, "MODIFIED", body(version=2) | {"spec": {}, "status": {**first, **status}}) == key
    (kept,) = cache.children("shop", "web")
    assert kept["metadata"]["resourceVersion"] == "2"
    assert kept["status"].keys() == {"conditions"}


def test_of_who_manages_a_service_those_are_known_who_set_its_size() -> None:
    cache = watching(services=())
    size = {"f:spec": {"f:replicas": {}, "f:image": {}}}
    entries = [
        {"manager": "git", "operation": "Apply", "time": "…", "fieldsV1": size},
        {"manager": "kube-controller-manager", "operation": "Update", "subresource": "scale", "fieldsV1": size},
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:image": {}}}},
    ]
    live = body("web", version=1) | {"kind": "HardenedService", "spec": {}}
    live["metadata"]["managedFields"] = entries
    cache.see(HARDENED_SERVICE, "ADDED", live)
    kept = cache.get(HARDENED_SERVICE, "shop", "web")
    assert kept
    assert kept["metadata"]["managedFields"] == [{"manager": "git", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]


def metadata_only(obj: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "metadata": obj["metadata"]}


def known(cache: Cache, key: Key = WEB) -> tuple[set[str], set[str]]:
    """The names of the children whose bodies are known, and of those that are lacking."""
    return {child["metadata"]["name"] for child in cache.children(*key)}, {child.name for child in cache.lacking(key)}


def test_of_a_service_that_is_not_there_no_child_is_kept_and_all_are_lacking_once_it_is() -> None:
    cache = watching(services=())
    child = body("web-blue") | {"spec": {"x": "y" * 100_000}}
    assert cache.see(DEPLOYMENT, "ADDED", child) == WEB
    assert known(cache) == (set(), set())
    assert sum(len(entry.text or b"") for entry in cache._entries._all.values()) == 0
    cache.see(HARDENED_SERVICE, "ADDED", body("web", uid="s", service=None))
    assert known(cache) == (set(), {"web-blue"})
    cache.wrote(DEPLOYMENT, child)
    assert known(cache) == ({"web-blue"}, set())
    cache.see(HARDENED_SERVICE, "DELETED", body("web", version=9, uid="s", service=None))
    assert known(cache) == (set(), set())


def test_an_action_that_asks_something_of_no_service_is_kept() -> None:
    cache = watching(services=())
    cache.see(HARDENED_SERVICE_ACTION, "ADDED", body("a") | {"spec": {"service": "web"}})
    assert known(cache) == ({"a"}, set())


def test_of_many_actions_those_that_came_first_are_looked_at_and_of_each_no_more_than_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MOST_ACTIONS", 2)
    cache = watching()
    cache.see(DEPLOYMENT, "ADDED", body())
    for number, name in enumerate("abcd"):
        action = body(name, uid=name, annotations={"x": "y" * 1000}, creationTimestamp="t") | {"spec": {"service": "web"}}
        cache.see(HARDENED_SERVICE_ACTION, "ADDED", action)
        assert known(cache)[0] == {"web-blue", *"ab"[: number + 1]}
    assert cache.size(WEB) < 1000
    assert {"annotations", "creationTimestamp"} & {field for live in cache.children(*WEB) for field in live["metadata"]} == {
        "creationTimestamp"
    }
    cache.see(HARDENED_SERVICE_ACTION, "DELETED", body("a", 2, "a"))
    assert known(cache)[0] == {"web-blue", "b", "c"}


@pytest.mark.parametrize("kind", [CONFIG_MAP, CONTROLLER_REVISION])
def test_what_only_carries_the_label_of_a_service_is_known_by_name_alone(kind: Kind) -> None:
    cache = watching()
    cache.see(kind, "ADDED", body("foreign", uid="f") | {"data": {"x": "y" * 100_000}})
    cache.see(kind, "ADDED", body("own", uid="o", ownerReferences=[owner("web")[0] | {"uid": "s-web"}]))
    assert known(cache) == ({"own"}, set())


@pytest.mark.parametrize("kind", [CONFIG_MAP, CONTROLLER_REVISION])
def test_what_is_watched_by_metadata_is_read_once_of_each_state(kind: Kind) -> None:
    cache, mine = watching(), [owner("web")[0] | {"uid": "s-web"}]
    first = body(ownerReferences=mine) | {"data": {}}
    assert cache.see(kind, "ADDED", metadata_only(first)) == WEB
    assert known(cache) == (set(), {"web-blue"})
    cache.wrote(kind, first)
    assert known(cache) == ({"web-blue"}, set())
    assert cache.see(kind, "MODIFIED", metadata_only(first)) is None, "the echo of what is known"
    assert known(cache) == ({"web-blue"}, set())
    second = body(version=2, ownerReferences=mine)
    assert cache.see(kind, "MODIFIED", metadata_only(second)) == WEB
    assert known(cache) == (set(), {"web-blue"})
    cache.listing(kind, None, "3").take([second])
    assert known(cache) == ({"web-blue"}, set())
    third = body(version=4, ownerReferences=mine)
    cache.wrote(kind, third)
    assert cache.see(kind, "MODIFIED", metadata_only(third)) is None
    cache.see(kind, "MODIFIED", metadata_only(body(version=5, ownerReferences=mine)))
    cache.unreadable(kind, "shop", "web-blue")
    assert (known(cache), [unread.name for unread in cache.unread(WEB)]) == ((set(), set()), ["web-blue"])
    assert cache.see(kind, "ADDED", metadata_only(body(version=5, ownerReferences=mine))) is None
    assert [unread.name for unread in cache.unread(WEB)] == ["web-blue"], "the same state again tells nothing new"
    assert cache.see(kind, "MODIFIED", metadata_only(body(version=6, ownerReferences=mine))) == WEB
    assert cache.unread(WEB) == ()


def large(name: str, version: int = 1, service: str = "web") -> dict[str, Any]:
    """More than 500 bytes as JSON, and less than 750."""
    return body(name, version, name, service) | {"spec": {"x": "y" * 400}}


def sizes(cache: Cache) -> Counter[Key | str]:
    """Bytes of the children of each service, and of each namespace, counted anew."""
    found: Counter[Key | str] = Counter()
    for key, children in cache._entries._children.items():
        for whose in (key, key.namespace):
            found[whose] += sum(entry.size for entry in children.values())
    return +found


def test_what_is_too_much_for_one_service_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MOST_OF_SERVICE", 1500)
    cache = watching()
    for name in "abc":
        assert cache.see(DEPLOYMENT, "ADDED", large(name)) == WEB
    assert cache.see(DEPLOYMENT, "ADDED", large("of-another", service="other")) == Key("shop", "other")
    assert (known(cache)[0], [unread.name for unread in cache.unread(WEB)]) == ({"a", "b"}, ["c"])
    assert known(cache, Key("shop", "other"))[0] == {"of-another"}
    assert cache.listing(DEPLOYMENT, None, "9").take([large("c")]) == set()
    cache.wrote(DEPLOYMENT, large("b", 10) | {"spec": {"x": "y" * 1400}})
    assert (known(cache)[0], [unread.name for unread in cache.unread(WEB)]) == ({"a"}, ["c", "b"])
    cache.see(DEPLOYMENT, "MODIFIED", large("b", 11))
    cache.see(DEPLOYMENT, "DELETED", large("a", 12))
    assert cache.listing(DEPLOYMENT, None, "13").take([large("c")]) == {WEB}
    assert (known(cache)[0], cache.unread(WEB)) == ({"b", "c"}, ())
    assert (cache._entries._sizes, cache.size(WEB)) == (sizes(cache), sizes(cache)[WEB])


def test_a_text_of_many_small_parts_is_taken_for_what_it_is_as_dictionaries() -> None:
    cache, other = watching(), Key("shop", "other")
    cache.see(DEPLOYMENT, "ADDED", body("a") | {"spec": {f"{number:x}": "" for number in range(10_000)}})
    cache.see(DEPLOYMENT, "ADDED", body("b", service="other") | {"spec": {"x": "y" * cache.size(WEB)}})
    assert cache.spread(WEB) > 1_000_000 > 10 * cache.size(WEB) / 2
    assert cache.spread(other) < cache.size(other) + 2000


def test_what_is_too_much_for_a_namespace_is_read_anew_for_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MOST_OF_NAMESPACE", 1500)
    cache, a, c = watching(), Key("shop", "a"), Key("shop", "c")
    for name in "abc":
        cache.see(DEPLOYMENT, "ADDED", large(name, service=name))
    assert [known(cache, Key("shop", name)) for name in "abc"] == [({"a"}, set()), ({"b"}, set()), (set(), {"c"})]
    cache.wrote(DEPLOYMENT, large("c", service="c"))
    assert known(cache, c) == ({"c"}, set())
    cache.let_go(c)
    assert known(cache, c) == (set(), {"c"})
    cache.let_go(a)
    assert known(cache, a) == ({"a"}, set()), "without it there is room"
    assert cache._entries._sizes == sizes(cache)


def test_whatever_happens_what_the_children_have_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MOST_OF_SERVICE", 1500)
    monkeypatch.setattr(caching, "MOST_OF_NAMESPACE", 3000)
    cache, rng = watching(services=()), random.Random(1)
    for version in range(1, 2000):
        name, service = rng.choice("abcdefgh"), rng.choice(["web", "other"])
        match rng.randrange(8):
            case 0:
                cache.see(HARDENED_SERVICE, rng.choice(["ADDED", "DELETED"]), body(service, version, f"s-{service}-{version // 200}", None))
            case 1:
                cache.see(DEPLOYMENT, "DELETED", body(name, version, name))
            case 2:
                cache.let_go(Key("shop", service))
            case 3:
                cache.listing(DEPLOYMENT, None, str(version)).take([large(name, version, service)])
            case 4:
                cache.wrote(DEPLOYMENT, large(name, version, service))
            case 5:
                cache.see(DEPLOYMENT, "MODIFIED", metadata_only(large(name, version, service)))
            case _:
                cache.see(DEPLOYMENT, "MODIFIED", large(name, version, service))
        assert cache._entries._sizes == sizes(cache)
        assert all(size <= 1500 for whose, size in cache._entries._sizes.items() if isinstance(whose, Key))
