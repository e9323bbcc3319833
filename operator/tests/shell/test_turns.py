"""Who waits for a turn: in order, never for nobody, and never too many at once."""

from hypothesis import given
from hypothesis import strategies as st

from hardened.shell.turns import Turns
from hardened.shell.workqueue import Key

A, B, C = (Key("shop", name) for name in "abc")


def test_as_many_begin_as_there_is_room_for_and_the_others_are_called_in_order() -> None:
    called: list[Key] = []
    turns = Turns(10, called.append)
    assert turns.begin(A, 6)
    assert not turns.begin(B, 6)
    assert not turns.begin(C, 1), "whoever came first is first"
    assert (turns.is_waiting(A), turns.is_waiting(B)) == (False, True)
    turns.end(A)
    assert called == [B]
    assert turns.begin(B, 6)
    assert called == [B, C]
    assert turns.begin(C, 1)
    turns.hold(C, 100)
    turns.end(B)
    assert not turns.begin(A, 1)


def test_one_alone_may_have_more_than_there_is() -> None:
    turns = Turns(10, lambda _: None)
    assert turns.begin(A, 100)
    assert not turns.begin(B, 1)


def test_who_does_not_wait_any_more_keeps_nobody_waiting() -> None:
    called: list[Key] = []
    turns = Turns(1, called.append)
    assert turns.begin(A, 1)
    assert not turns.begin(B, 1)
    assert not turns.begin(C, 1)
    turns.end(B)
    assert called == [C]
    turns.end(A)
    assert turns.begin(C, 1)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 12)), max_size=60))
def test_whoever_waits_is_called_and_begins_in_the_end(moves: list[tuple[str, int]]) -> None:
    called: list[Key] = []
    turns, held, waiting = Turns(10, called.append), dict[Key, int](), dict[Key, int]()

    def look(key: Key, wanted: int) -> None:
        waiting[key] = wanted
        if turns.begin(key, wanted):
            held[key] = waiting.pop(key)
            assert len(held) == 1 or sum(held.values()) <= 10
        while called:
            next_ = called.pop()
            look(next_, waiting[next_])

    def end(key: Key) -> None:
        del held[key]
        turns.end(key)
        while called:
            next_ = called.pop()
            look(next_, waiting[next_])

    for name, wanted in moves:
        key = Key("shop", name)
        if key in held:
            end(key)
        else:
            look(key, wanted)
    while waiting:
        assert held, "somebody waits for nobody"
        end(next(iter(held)))
