"""So many releases work at a time; who waits is woken in turn, and nobody is counted twice."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hardened.shell.release_slots import ReleaseSlots
from hardened.shell.workqueue import Key

A, B, C, D = (Key("shop", name) for name in "abcd")


def at(step: str, phase: str = "") -> dict[str, Any]:
    return {
        "phase": phase or step,
        "stable": {"color": "green", "revision": "q", "promotion": 1},
        "release": {"revision": "r", "color": "blue", "key": "k", "step": step, "startedAt": "2026-01-02T03:04:05Z"},
    }


def test_who_works_keeps_its_place_and_others_get_what_is_left() -> None:
    places = ReleaseSlots(2)
    assert places.saw(A, at("Preview")) == ()
    assert places.has_slot(B)
    places.saw(B, at("Cutover"))
    assert places.has_slot(A)
    assert not places.has_slot(C)


def test_who_begins_anew_goes_to_the_end_of_the_line() -> None:
    """Else a spec that is changed again and again would hold a place for ever."""
    places = ReleaseSlots(1)
    places.saw(A, at("Preview"))
    assert places.has_slot(A)
    places.saw(B, at("Queued", "Paused"))
    assert places.has_slot(A), "nobody waits who would take it"
    places.saw(C, at("Queued"))
    assert not places.has_slot(A)
    assert places.saw(A, at("Queued")) == (B, C)
    assert places.has_slot(C)
    places.saw(C, at("Preview"))
    assert places.saw(C, {}) == (B, A)


def test_who_begins_anew_keeps_a_place_that_is_nobody_elses() -> None:
    places = ReleaseSlots(2)
    places.saw(A, at("Preview"))
    places.saw(C, at("Queued"))
    assert places.has_slot(A), "there is another one for who waits"
    others = ReleaseSlots(2)
    others.saw(A, at("Preview"))
    others.saw(Key("mall", "a"), at("Preview"))
    others.saw(B, at("Queued"))
    assert others.has_slot(Key("mall", "a")), "the share of who waits is used up"


def test_who_waits_is_woken_in_turn() -> None:
    places = ReleaseSlots(1)
    places.saw(A, at("Preview"))
    for key in (B, C, B):
        assert places.saw(key, at("Queued")) == ()
    assert places.saw(A, at("Keep")) == (B,)
    places.saw(B, at("Preview"))
    assert places.forget(B) == (C,)
    places.saw(C, {})
    assert places.forget(C) == ()


def test_one_that_is_to_be_approved_holds_no_place_and_waits_for_one() -> None:
    places = ReleaseSlots(1)
    places.saw(A, at("Preview"))
    assert places.saw(A, at("Approval")) == ()
    assert places.has_slot(B)
    places.saw(B, at("ScaleUp"))
    assert places.saw(B, {}) == (A,)


def test_who_waits_for_somebody_else_first_does_not_keep_the_place_from_those_behind() -> None:
    places = ReleaseSlots(1)
    places.saw(A, at("ScaleUp"))
    places.saw(B, at("Approval", "Progressing"))
    places.saw(C, at("Queued", "Paused"))
    places.saw(D, at("Queued"))
    assert places.saw(A, {}) == (B, C, D)
    assert places.saw(B, at("Approval", "Progressing")) == (), "who stays in line wakes nobody"


def test_who_leaves_the_line_lets_the_next_one_have_the_place() -> None:
    places = ReleaseSlots(1)
    places.saw(A, at("Preview"))
    places.saw(B, at("Queued"))
    places.saw(C, at("Queued"))
    assert places.saw(B, {}) == (), "there is none"
    places.saw(B, at("Queued"))
    assert places.saw(A, {}) == (C,)
    assert places.saw(C, {}) == (B,)


def test_what_cannot_be_read_holds_no_place() -> None:
    places = ReleaseSlots(1)
    places.saw(A, {"release": "Preview"})
    assert places.has_slot(B)


def key(text: str) -> Key:
    return Key(*text.split("/"))


def test_the_first_release_of_a_service_takes_no_place() -> None:
    places = ReleaseSlots(1)
    places.saw(A, {name: value for name, value in at("Preview").items() if name != "stable"})
    assert places.has_slot(B)


def test_one_that_gave_its_place_up_waits_in_line() -> None:
    places = ReleaseSlots(1)
    places.saw(A, at("Preview"))
    places.saw(B, at("Queued"))
    stalled = at("Preview")
    stalled["release"]["yielded"] = True
    assert places.saw(A, stalled) == (B,)
    places.saw(B, at("Preview"))
    assert not places.has_slot(A)
    assert places.saw(B, {}) == (A,)


def test_a_namespace_holds_no_more_than_its_share_while_others_wait() -> None:
    places = ReleaseSlots(4, 0.5)
    mall = [key(f"mall/{n}") for n in range(6)]
    for each in mall[:4]:
        assert places.has_slot(each), "nobody waits"
        places.saw(each, at("Preview"))
    assert not places.has_slot(mall[4])
    places.saw(mall[4], at("Queued"))
    web, api = key("shop/web"), key("shop/api")
    assert places.has_slot(web), "what one namespace has beyond its share is nobody else's loss"
    places.saw(web, at("Preview"))
    places.saw(api, at("Preview"))
    assert not places.has_slot(key("blog/a")), "two namespaces have their shares"
    places.saw(key("blog/a"), at("Queued"))
    assert places.saw(mall[0], {}) == (), "still more than its share"
    assert places.saw(mall[1], {}) == ()
    assert not places.has_slot(mall[4])
    assert places.saw(mall[2], {}) == (mall[4],), "it has less than its share, and came first"


def test_where_nobody_else_waits_a_namespace_may_have_every_place() -> None:
    places = ReleaseSlots(2, 0.5)
    places.saw(key("mall/a"), at("Preview"))
    places.saw(key("shop/a"), at("Approval", "Progressing"))
    assert places.has_slot(key("mall/b")), "who waits for a person takes no place"
    places.saw(key("shop/b"), at("Queued"))
    assert not places.has_slot(key("mall/b"))
    assert places.saw(key("shop/b"), {}) == (key("shop/a"),)
    assert places.has_slot(key("mall/b"))


@given(st.integers(1, 6), st.floats(0.01, 1), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8), st.booleans()), max_size=60))
def test_whatever_comes_who_waits_alone_in_a_namespace_is_not_kept_by_another_one(
    limit: int, share: float, moves: list[tuple[str, int, bool]]
) -> None:
    """No more than one and a half times as many are at work, and one namespace alone keeps nobody else waiting."""
    places, working, own = ReleaseSlots(limit, share), set[Key](), max(1, int(limit * share))
    for namespace, name, leaves in moves:
        each = Key(namespace, str(name))
        if leaves:
            places.forget(each)
            working.discard(each)
        elif places.has_slot(each):
            places.saw(each, at("Preview"))
            working.add(each)
        else:
            places.saw(each, at("Queued"))
            working.discard(each)
        assert len(working) <= 2 * limit - own
        if len({key.namespace for key in working}) == 1 and own < limit:
            assert places.has_slot(Key("new", "x"))
