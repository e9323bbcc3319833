"""The bookmark service against a real PostgreSQL and a real Redis: what it answers, and that no job is lost, whatever dies."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import PATIENCE, Served, serve

from e2e.cluster.packages import ensure_files
from e2e.servers import Postgres, Redis
from e2e.workloads.bookmarks import LIBRARIES, PYTHON, SOURCE

pytestmark = [pytest.mark.servers, pytest.mark.sampled(12)]

COMMAND = [str(PYTHON), "-sP", "-m", "bookmarks"]
#: Short times, so that what is lost is found within a test.
QUICK = {
    "LEASE": "0.6",
    "LOST_AFTER": "0.8",
    "POLL": "0.05",
    "RETRY_FIRST": "0.1",
    "RETRY_MOST": "0.2",
    "ATTEMPTS": "3",
    "DRAIN": "0.2",
    "LINGER": "0",
}


class Stack:
    """The servers, and how processes of the application are started beside them."""

    def __init__(self, postgres: Postgres, redis: Redis) -> None:
        self.postgres, self.redis = postgres, redis

    @property
    def env(self) -> dict[str, str]:
        return {**self.postgres.environment, "REDIS_URL": self.redis.url, "PYTHONPATH": str(SOURCE), **QUICK}

    def once(self, role: str, release: str = "r1", **env: str) -> subprocess.CompletedProcess[str]:
        """A role that ends by itself."""
        settings = {"PATH": os.environ["PATH"], **self.env, "HARDENED_REVISION": release, **env}
        return subprocess.run([*COMMAND, role], env=settings, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def api(self, **env: str) -> contextlib.AbstractContextManager[Served]:
        return serve([*COMMAND, "api"], **{**self.env, **env})

    def worker(self, **env: str) -> contextlib.AbstractContextManager[Served]:
        return serve([*COMMAND, "worker"], **{**self.env, **env})

    def until(self, sql: str, wanted: str) -> None:
        """Asks PostgreSQL until it says so."""
        end = time.monotonic() + PATIENCE
        while (found := self.postgres.run(sql)) != wanted:
            assert time.monotonic() < end, f"{sql}: {found!r} and never {wanted!r}"

    def make(self, count: int, host: str = "example.org") -> None:
        """So many bookmarks, each with its job, as the API makes them."""
        self.postgres.run(
            f"with b as (insert into bookmarks (url, title) select 'https://{host}/a/page-' || n, '' from generate_series(1, {count}) n "
            "returning id) insert into jobs (bookmark_id, request_id) select id, 'made' from b"
        )


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    ensure_files(LIBRARIES)
    with Postgres() as postgres, Redis() as redis:
        yield Stack(postgres, redis)


@pytest.fixture
def stack(servers: Stack) -> Stack:
    """With an empty database of the newest schema, and an empty Redis."""
    servers.postgres.run("drop schema public cascade; create schema public")
    servers.redis.run("flushall")
    done = servers.once("migrate")
    assert done.returncode == 0, done.stdout + done.stderr
    return servers


def ask(served: Served, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
    with contextlib.closing(served.connect()) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}"), answer.headers


def ready(served: Served) -> Served:
    served.until("/health/ready", 200)
    return served


# ---- the API


def test_bookmarks_are_made_found_searched_paged_and_deleted_and_all_of_it_is_audited(stack: Stack) -> None:
    with stack.api() as api:
        ready(api)
        for n in range(5):
            status, made, headers = ask(
                api, "POST", "/bookmarks", {"url": f"https://a.example/{n}", "title": f"page {n} größe", "tags": ["x"]}
            )
            assert (status, headers["Location"]) == (201, f"/bookmarks/{made['id']}")
        assert api.ask(f"/bookmarks/{made['id']}")[1]["title"] == "page 4 größe"
        found, after = [], ""
        while after is not None:
            page = api.ask(f"/bookmarks?limit=2{after and f'&after={after}'}")[1]
            found, after = found + [each["title"] for each in page["items"]], page["next"]
        assert found == [f"page {n} größe" for n in (4, 3, 2, 1, 0)]
        for words, titles in (
            ("page+3", [3]),
            ("Page", [4, 3, 2, 1, 0]),
            ("Gr%C3%B6%C3%9Fe+2", [2]),
            ("example%2F3", [3]),
            ("pag", []),
            ("3+4", []),
        ):
            assert [each["title"] for each in api.ask(f"/bookmarks/search?q={words}")[1]["items"]] == [f"page {n} größe" for n in titles]
        assert [each["title"] for each in api.ask("/bookmarks/search?q=page&limit=2")[1]["items"]] == ["page 4 größe", "page 3 größe"]
        assert len(api.ask("/bookmarks?tag=x")[1]["items"]) == 5
        assert api.ask("/bookmarks?tag=y")[1] == {"items": [], "next": None}
        assert [ask(api, "DELETE", f"/bookmarks/{made['id']}", **{"X-Actor": "ann"})[0] for _ in range(2)] == [204, 404]
        assert api.ask(f"/bookmarks/{made['id']}")[0] == 404
        entry = api.ask("/audit?limit=1")[1]["items"][0]
        assert (entry["actor"], entry["action"], entry["subject"]) == ("ann", "delete", f"bookmark {made['id']}")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        pytest.param("POST", "/bookmarks", {"url": "ftp://a.example"}, 400, "url", id="an address that is none"),
        pytest.param("POST", "/bookmarks", {"url": "http://a.example", "tags": ["a b"]}, 400, "tags", id="a tag of two words"),
        pytest.param("POST", "/bookmarks", {"url": "http://a.example", "titel": "a"}, 400, "titel", id="a misspelt field"),
        pytest.param("POST", "/bookmarks", ["a"], 400, "object", id="no object"),
        pytest.param("POST", "/bookmarks", {"url": "http://a.example/" + "a" * 70_000}, 413, "Too Large", id="a body that is too large"),
        pytest.param("GET", "/bookmarks?limit=101", None, 400, "limit", id="too long a page"),
        pytest.param("GET", "/bookmarks?after=99999999999999999999", None, 400, "after", id="no page's next"),
        pytest.param("GET", "/bookmarks/search", None, 400, "q", id="a search for nothing"),
        pytest.param("GET", "/nothing", None, 404, "Not Found", id="no route"),
        pytest.param("PUT", "/bookmarks", None, 405, "Not Allowed", id="no such method"),
    ],
)
def test_what_is_wrong_is_named_and_has_the_requests_id(stack: Stack, method: str, path: str, body: Any, status: int, word: str) -> None:
    with stack.api() as api:
        ready(api)
        found, said, headers = ask(api, method, path, body, **{"X-Request-ID": "mine-1"})
        assert found == status
        assert word in said["error"]["message"]
        assert said["error"]["requestId"] == headers["X-Request-ID"] == "mine-1"


def test_the_id_of_a_request_is_in_its_answer_its_log_its_job_and_the_workers_log(stack: Stack) -> None:
    with stack.api() as api, stack.worker() as worker:
        ready(api)
        assert ask(api, "POST", "/bookmarks", {"url": "https://a.example/b"}, **{"X-Request-ID": "trace-7"})[2]["X-Request-ID"] == "trace-7"
        line = api.wait_for("request")
        assert (line["requestId"], line["route"], line["status"], line["role"]) == ("trace-7", "/bookmarks", 201, "api")
        assert worker.wait_for("job")["requestId"] == "trace-7"
        assert len(ask(api, "GET", "/", **{"X-Request-ID": "no id\tof ours"})[2]["X-Request-ID"]) == 32


def test_metrics_count_requests_by_route_and_not_by_path(stack: Stack) -> None:
    with stack.api() as api:
        ready(api)
        for n in (1, 2):
            api.ask(f"/bookmarks/{n}")
        with contextlib.closing(api.connect()) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
    assert 'bookmarks_http_requests_total{method="GET",route="/bookmarks/{id}",status="404"} 2.0' in text
    assert "bookmarks_jobs_waiting 0.0" in text


# ---- jobs


def test_a_job_is_done_once_and_its_effect_is_there(stack: Stack) -> None:
    stack.make(200)
    with stack.worker() as one, stack.worker() as other:
        stack.until("select count(*), min(attempts), max(attempts) from jobs where state = 'done'", "200|1|1")
        for each in (one, other):
            each.terminate()
            assert each.wait_exit() == 0
    assert stack.postgres.run("select distinct site, tags from bookmarks") == "example.org|{example}"
    assert stack.postgres.run("select title from bookmarks order by id limit 1") == "page 1"
    assert (stack.redis.run("scard", "bookmarks:known"), stack.redis.run("llen", "bookmarks:ready")) == ("0", "0")


def test_a_job_that_fails_is_tried_again_then_a_dead_letter_that_can_be_retried_by_hand(stack: Stack) -> None:
    stack.make(1, "gone.invalid")
    with stack.worker(), stack.api() as api:
        ready(api)
        stack.until("select state, attempts, error from jobs", "dead|3|CannotEnrich: no such host: gone.invalid")
        assert stack.postgres.run("select count(*), max(attempt) from job_failures") == "3|3"
        said = api.ask("/queue")[1]
        assert (said["dead"], said["waiting"]) == (1, 0)
        (letter,) = said["deadLetters"]
        stack.postgres.run("update bookmarks set url = 'https://there.example/'")
        assert ask(api, "POST", f"/queue/dead/{letter['id']}/retry")[0] == 202
        stack.until("select state from jobs", "done")
        assert ask(api, "POST", f"/queue/dead/{letter['id']}/retry")[0] == 404
        assert [each["action"] for each in api.ask("/audit")[1]["items"]] == ["retry", "dead-letter"]


@pytest.mark.parametrize(("deaths", "state"), [pytest.param(2, "done", id="done"), pytest.param(3, "dead", id="a dead letter")])
def test_what_a_killed_worker_had_is_done_by_another_unless_all_its_attempts_ended_so(stack: Stack, deaths: int, state: str) -> None:
    stack.make(4)
    for attempt in range(1, deaths + 1):
        with stack.worker(JOB_SECONDS="60") as victim:
            stack.until("select min(attempts) from jobs", str(attempt))
            victim.process.kill()
            victim.process.wait()
    assert stack.redis.run("scard", "bookmarks:known") == "4"
    with stack.worker() as other:
        assert other.wait_for("reclaimed")["jobs"] == 4
        stack.until("select count(*), max(attempts), min(state) from jobs where state <> 'queued'", f"4|{deaths + 1}|{state}")


def test_a_worker_that_is_told_to_end_gives_back_what_it_cannot_finish_and_that_does_not_count(stack: Stack) -> None:
    stack.make(4)
    with stack.worker(JOB_SECONDS="60", LEASE="600") as first:
        stack.until("select min(attempts) from jobs", "1")
        first.terminate()
        assert first.wait_exit() == 0
    assert stack.postgres.run("select state, max(attempts) from jobs group by 1") == "queued|0"
    assert (stack.redis.run("llen", "bookmarks:ready"), stack.redis.run("scard", "bookmarks:workers")) == ("4", "0")
    with stack.worker(JOB_SECONDS="0.1", DRAIN="15") as second:
        stack.until("select max(attempts) from jobs", "1")
        second.terminate()
        assert second.wait_exit() == 0
    assert stack.postgres.run("select count(*) from jobs where state = 'queued' and attempts > 0") == "0"


def test_no_job_is_lost_with_all_of_redis_its_disk_included(stack: Stack) -> None:
    stack.make(30)
    with stack.worker(JOB_SECONDS="0.1"):
        stack.until("select count(*) > 0 from jobs where state = 'done'", "t")
        stack.redis.lose_everything()
        stack.make(10)
        stack.until("select count(*) from jobs where state = 'done'", "40")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(("del", "bookmarks:ready"), id="the list of those that wait is gone"),
        pytest.param(("lmove", "bookmarks:ready", "bookmarks:taken:nobody", "left", "left"), id="somebody has one who was never heard of"),
    ],
)
def test_what_somebody_does_to_the_lists_in_redis_is_mended(stack: Stack, damage: tuple[str, ...]) -> None:
    stack.make(3)
    stack.redis.run("sadd", "bookmarks:known", "1", "2", "3")
    stack.redis.run("lpush", "bookmarks:ready", "1", "2", "3")
    stack.redis.run(*damage)
    with stack.worker():
        stack.until("select count(*) from jobs where state = 'done'", "3")


def test_no_job_is_lost_while_postgres_is_killed(stack: Stack) -> None:
    stack.make(30)
    with stack.worker(JOB_SECONDS="0.1") as worker:
        stack.until("select count(*) > 0 from jobs where state = 'done'", "t")
        stack.postgres.stop(kill=True)
        stack.postgres.start()
        stack.until("select count(*) from jobs where state = 'done'", "30")
        worker.terminate()
        assert worker.wait_exit() == 0
    assert stack.redis.run("scard", "bookmarks:known") == "0"


def test_offers_are_for_nothing_where_redis_has_the_job(stack: Stack) -> None:
    stack.make(5)
    with stack.worker(JOB_SECONDS="1.2", CONCURRENCY="1", LOST_AFTER="0.1"):
        stack.until("select count(*) from jobs where state = 'done'", "2")
        assert int(stack.redis.run("scard", "bookmarks:known")) <= 3
        assert int(stack.redis.run("llen", "bookmarks:ready")) <= 2
    assert stack.postgres.run("select max(attempts) from jobs") == "1"


# ---- what is away


def test_started_with_the_database_down_it_is_alive_and_not_ready_until_it_comes(stack: Stack) -> None:
    stack.postgres.stop()
    try:
        with stack.api() as api, stack.worker() as worker:
            for each in (api, worker):
                each.until("/health/live", 200)
                status, said = each.ask("/health/ready")
                assert (status, list(said["lacks"])) == (503, ["database"]) or "redis" in said["lacks"]
            status, said, headers = ask(api, "GET", "/bookmarks")
            assert (status, said["error"]["code"], headers["Retry-After"]) == (503, "unavailable", "1")
            stack.postgres.start()
            for each in (api, worker):
                ready(each)
            assert api.ask("/bookmarks")[0] == 200
    finally:
        if stack.postgres.process is None:
            stack.postgres.start()


def test_a_database_that_goes_and_comes_back_is_noticed_and_used_again(stack: Stack) -> None:
    with stack.api() as api:
        ready(api)
        stack.postgres.stop(kill=True)
        api.until("/health/ready", 503)
        assert api.ask("/health")[1]["parts"]["database"]["status"] == "unhealthy"
        stack.postgres.start()
        ready(api)
        assert ask(api, "POST", "/bookmarks", {"url": "https://a.example/b"})[0] == 201


def test_without_redis_bookmarks_are_taken_all_the_same_and_their_jobs_done_once_it_comes(stack: Stack) -> None:
    stack.redis.stop()
    try:
        with stack.api() as api, stack.worker() as worker:
            ready(api)
            assert ask(api, "POST", "/bookmarks", {"url": "https://a.example/b"})[0] == 201
            worker.until("/health/ready", 503)
            while api.ask("/health")[1]["parts"]["redis"]["reason"] == "not looked at yet":
                pass
            assert api.ask("/health")[1]["status"] == "degraded"
            assert "error" in api.ask("/queue")[1]["redis"]
            stack.redis.start()
            ready(worker)
            stack.until("select state from jobs", "done")
    finally:
        if stack.redis.process is None:
            stack.redis.start()


def test_a_request_that_is_under_way_is_answered_before_the_process_ends(stack: Stack) -> None:
    with stack.api(DRAIN="15") as api, contextlib.closing(api.connect()) as connection:
        ready(api)
        # A body that is half there: the request is under way for as long as the other half is missing.
        body = json.dumps({"url": "https://a.example/b"}).encode()
        connection.putrequest("POST", "/bookmarks")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:5])
        while b"bookmarks_http_requests_in_flight 2.0" not in _metrics(api):
            pass
        api.terminate()
        connection.send(body[5:])
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (201, "close")
        assert api.wait_exit() == 0


def _metrics(api: Served) -> bytes:
    with contextlib.closing(api.connect()) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()


# ---- migrations


def test_a_release_undoes_the_migrations_that_it_made_and_no_others(servers: Stack) -> None:
    servers.postgres.run("drop schema public cascade; create schema public")
    assert servers.once("migrate", "r1").returncode == 0
    newest = servers.postgres.run("select max(version) from schema_migrations")
    servers.postgres.run("update schema_migrations set release = 'r0' where version = 1")
    assert servers.once("migrate", "r2").returncode == 0, "there is nothing left to do"
    assert servers.once("undo", "r2").returncode == 0
    assert servers.postgres.run("select max(version) from schema_migrations") == newest, "r2 has made none"
    assert servers.once("undo", "r1").returncode == 0
    assert servers.postgres.run("select max(version) from schema_migrations") == "1"
    assert servers.postgres.run("select to_regclass('jobs') is null") == "t"


def test_migrations_that_begin_at_once_are_made_once(servers: Stack) -> None:
    servers.postgres.run("drop schema public cascade; create schema public")
    env = {"PATH": os.environ["PATH"], **servers.env}
    both = [subprocess.Popen([*COMMAND, "migrate"], env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [each.communicate(timeout=PATIENCE)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert "".join(said).count('"migrated"') == int(servers.postgres.run("select count(*) from schema_migrations"))


def test_a_program_without_its_schema_is_not_ready_and_says_so(servers: Stack) -> None:
    servers.postgres.run("drop schema public cascade; create schema public")
    with servers.api() as api:
        end = time.monotonic() + PATIENCE
        while "the schema is at version 0" not in str(api.ask("/health/ready")[1]):
            assert time.monotonic() < end
        assert servers.once("migrate").returncode == 0
        ready(api)


@pytest.mark.parametrize(("name", "value"), [("POOL", "many"), ("LEASE", "-1"), ("PORT", "1.5")])
def test_a_setting_that_is_none_is_named(name: str, value: str) -> None:
    done = subprocess.run(
        [*COMMAND, "api"], env={"PYTHONPATH": str(Path(SOURCE)), name: value}, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {name}: ")
