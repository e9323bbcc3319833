"""So many releases work at a time; who waits is woken in turn, and nobody is counted twice."""

from typing import Any

from hardened.shell.places import Places
from hardened.shell.workqueue import Key

A, B, C, D = (Key("shop", name) for name in "abcd")


def at(step: str, phase: str = "") -> dict[str, Any]:
    return {
        "phase": phase or step,
        "release": {"revision": "r", "color": "blue", "key": "k", "step": step, "startedAt": "2026-01-02T03:04:05Z"},
    }


def test_who_works_keeps_its_place_and_others_get_what_is_left() -> None:
    places = Places(2)
    assert places.saw(A, at("Preview")) == ()
    assert places.has_place(B)
    places.saw(B, at("Cutover"))
    assert places.has_place(A)
    assert not places.has_place(C)


def test_who_waits_is_woken_in_turn() -> None:
    places = Places(1)
    places.saw(A, at("Preview"))
    for key in (B, C, B):
        assert places.saw(key, at("Queued")) == ()
    assert places.saw(A, at("Keep")) == (B,)
    places.saw(B, at("Preview"))
    assert places.forget(B) == (C,)
    places.saw(C, {})
    assert places.forget(C) == ()


def test_one_that_is_to_be_approved_holds_no_place_and_waits_for_one() -> None:
    places = Places(1)
    places.saw(A, at("Preview"))
    assert places.saw(A, at("Approval")) == ()
    assert places.has_place(B)
    places.saw(B, at("ScaleUp"))
    assert places.saw(B, {}) == (A,)


def test_who_waits_for_somebody_else_first_does_not_keep_the_place_from_those_behind() -> None:
    places = Places(1)
    places.saw(A, at("ScaleUp"))
    places.saw(B, at("Approval", "Progressing"))
    places.saw(C, at("Queued", "Paused"))
    places.saw(D, at("Queued"))
    assert places.saw(A, {}) == (B, C, D)
    assert places.saw(B, at("Approval", "Progressing")) == (), "who stays in line wakes nobody"


def test_who_leaves_the_line_lets_the_next_one_have_the_place() -> None:
    places = Places(1)
    places.saw(A, at("Preview"))
    places.saw(B, at("Queued"))
    places.saw(C, at("Queued"))
    assert places.saw(B, {}) == (), "there is none"
    places.saw(B, at("Queued"))
    assert places.saw(A, {}) == (C,)
    assert places.saw(C, {}) == (B,)


def test_what_cannot_be_read_holds_no_place() -> None:
    places = Places(1)
    places.saw(A, {"release": "Preview"})
    assert places.has_place(B)
