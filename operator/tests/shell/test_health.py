import pytest

from hardened.shell.health import Liveness


@pytest.mark.parametrize(
    ("watch", "queue", "tick", "now", "words"),
    [
        pytest.param(0, 0, 0, 0, [], id="at the start"),
        pytest.param(0, 150, 179, 179.9, [], id="all within their limits"),
        pytest.param(0, 180, 180, 180, ["watch of Pod"], id="a watch that is silent for 180 s"),
        pytest.param(100, 100, 160, 160, ["work queue"], id="a queue without progress for 60 s"),
        pytest.param(100, 100, 100, 105.9, [], id="a loop that is 4.9 s late"),
        pytest.param(100, 100, 100, 106, ["event loop"], id="a loop that is 5 s late"),
        pytest.param(0, 0, 0, 500, ["watch of Pod", "work queue", "event loop"], id="everything"),
    ],
)
def test_problems(watch: float, queue: float, tick: float, now: float, words: list[str]) -> None:
    signs = Liveness(["Deployment", "Pod"], 0)
    signs.begin(0)
    signs.saw("Deployment", now)
    signs.saw("Pod", watch)
    signs.saw("Secret", now)
    signs.beat(queue)
    while signs._ticked < tick:
        signs.ticked(min(tick, signs._ticked + 1))
    problems = signs.problems(now)
    assert len(problems) == len(words)
    assert all(word in problem for word, problem in zip(words, problems, strict=True))


def test_until_all_are_watched_a_sign_of_anything_stands_for_all() -> None:
    signs = Liveness(["Deployment", "Pod"], 0)
    signs.beat(400)
    for now in range(400):
        signs.ticked(now)
    assert len(signs.problems(400)) == 2
    signs.saw("apis", 300)
    assert signs.problems(400) == []
    signs.begin(350)
    signs.saw("Deployment", 390)
    signs.saw("apis", 390)
    signs.beat(530)
    for now in range(400, 530):
        signs.ticked(now)
    assert [problem.split(" for")[0] for problem in signs.problems(530)] == ["no sign of life of the watch of Pod"]


def test_a_loop_that_was_late_is_well_again_after_the_next_tick() -> None:
    signs = Liveness([], 0)
    signs.beat(100)
    signs.ticked(10)
    assert signs.lag(10) == 9
    assert signs.problems(10.5)
    signs.ticked(11)
    assert signs.problems(11.5) == []
