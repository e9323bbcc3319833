"""A look waits for no slow answer: it goes on without, and comes back once there is one."""

import asyncio

import pytest
from tests.shell import virtual_time

from hardened.core.model.measurement import Query, Sample
from hardened.shell.prometheus import Prometheus
from hardened.shell.questions import PATIENCE, Questions
from hardened.shell.workqueue import Key

WEB = Key("shop", "web")


class Slow(Prometheus):
    """Takes as many seconds as the text of a query says."""

    def __init__(self) -> None:
        super().__init__("")
        self.asked: list[str] = []

    async def ask(self, query: Query, service: Key | None = None) -> Sample:
        assert service
        self.asked.append(query.name)
        await asyncio.sleep(float(query.text))
        return Sample(float(query.text))


def test_what_is_fast_is_waited_for() -> None:
    async def play() -> None:
        looks: list[Key] = []
        questions = Questions(Slow(), looks.append)
        assert await questions.ask(WEB, [Query("a", "0.01"), Query("b", "0.02")]) == ({"a": Sample(0.01), "b": Sample(0.02)}, frozenset())
        await asyncio.sleep(1)
        assert looks == []

    virtual_time.run(play())


def test_what_is_slow_is_told_of_once_it_is_there_and_asked_once() -> None:
    async def play() -> None:
        looks: list[Key] = []
        prometheus = Slow()
        questions, slow, fast = Questions(prometheus, looks.append), Query("a", "3"), Query("b", "0")
        began = asyncio.get_running_loop().time()
        assert await questions.ask(WEB, [slow, fast]) == ({"b": Sample(0)}, frozenset({"a"}))
        assert await questions.ask(WEB, [slow]) == ({}, frozenset({"a"}))
        assert asyncio.get_running_loop().time() - began <= 2 * PATIENCE + 0.01
        await asyncio.sleep(3)
        assert looks == [WEB]
        assert await questions.ask(WEB, [slow]) == ({"a": Sample(3)}, frozenset())
        assert prometheus.asked == ["a", "b"]

    virtual_time.run(play())


@pytest.mark.parametrize("is_gone", [True, False], ids=["the service is gone", "another release asks"])
def test_what_is_not_asked_any_more_is_given_up(is_gone: bool) -> None:
    async def play() -> None:
        looks: list[Key] = []
        questions = Questions(Slow(), looks.append)
        await questions.ask(WEB, [Query("a", "3", "first")])
        if is_gone:
            questions.forget(WEB)
        else:
            assert await questions.ask(WEB, [Query("a", "0", "second")]) == ({"a": Sample(0)}, frozenset())
        await asyncio.sleep(5)
        assert looks == []

    virtual_time.run(play())
