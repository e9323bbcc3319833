"""The servers that tests use are real: what was acknowledged is there after a kill."""

import pytest

from e2e.servers import Postgres, Redis

pytestmark = pytest.mark.servers


def test_what_postgres_acknowledged_survives_a_kill_and_an_ordinary_end() -> None:
    with Postgres() as postgres:
        postgres.run("create table t (n int); insert into t values (1)")
        for kill in (True, False):
            postgres.stop(kill=kill)
            postgres.start()
            assert postgres.run("select n from t") == "1"


def test_what_redis_acknowledged_survives_a_kill_and_not_a_lost_disk() -> None:
    with Redis() as redis:
        redis.run("set", "a", "1")
        redis.stop(kill=True)
        redis.start()
        assert redis.run("get", "a") == "1"
        redis.lose_everything()
        assert redis.run("get", "a") == ""
