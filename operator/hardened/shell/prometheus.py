"""Questions to Prometheus, at the one address of the settings: by a blocking client, in a worker thread, with a deadline."""

import asyncio
import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from hardened.core.model.measurement import Query, Sample
from hardened.shell.slots import Slots
from hardened.shell.workqueue import Key

logger = logging.getLogger(__name__)

#: Seconds for one answer, connecting included. The thread of one that comes later ends by itself a moment after.
DEADLINE: Final = 5.0
#: So many questions at once; see Slots for what one service has of them: as many as it may have checks of a kind.
THREADS: Final = 64
#: Bytes of an answer that are read. One number takes a few hundred; what a team's query can ask for has no end.
ANSWER_LIMIT: Final = 1 << 20
_STATUS: Final = re.compile(r"HTTP Status Code (\d+) \((.*)\)", re.S)
#: Bad requests: the query does not parse, or cannot be carried out. Asking again cannot help.
_FINAL: Final = frozenset({400, 422})


class _Partial(Exception):
    """An answer that Prometheus itself calls incomplete."""


class _TooLarge(requests.RequestException):
    """An answer that is not read to its end."""


class _Bounded(HTTPAdapter):
    """Reads no more than ANSWER_LIMIT bytes of an answer, and no longer than DEADLINE: a thread is held no longer than it is waited for."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        response, body = super().send(*args, **{**kwargs, "stream": True}), bytearray()
        ends = time.monotonic() + DEADLINE
        for chunk in response.iter_content(65536):
            body += chunk
            if time.monotonic() > ends:
                response.close()
                raise requests.Timeout
            if len(body) > ANSWER_LIMIT:
                response.close()
                raise _TooLarge
        response._content = bytes(body)
        return response


@dataclass(frozen=True)
class Access:
    """How Prometheus is told who asks, and told by whom. Paths of files, "" for none; each is read again for each question."""

    ca: str = ""
    """Certificates that its own is to be signed by, instead of those that the image trusts."""
    token: str = ""
    """A bearer token."""
    certificate: str = ""
    """Of a client."""
    key: str = ""
    """Of that certificate."""


class _Bearer(requests.auth.AuthBase):
    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {Path(self._path).read_text().strip()}"
        return request


class Prometheus:
    """Answers queries with one number. url: of the server, without `/api/v1`; "" for none: then nothing is known."""

    def __init__(self, url: str, access: Access | None = None) -> None:
        self._client = _client(url, access or Access()) if url else None
        # Threads of its own: what Prometheus is slow to answer holds nothing else up.
        self._threads, self._slots = ThreadPoolExecutor(THREADS, "prometheus"), Slots(THREADS)

    async def ask(self, query: Query, service: Key | None = None) -> Sample:
        """One sample. Whatever goes wrong is no data, with a sentence; a query that cannot be answered at all is final.

        service: for which it is asked; those of one wait for one another, and for few of others. By the check, where it is not given.
        """
        if self._client is None:
            return Sample(None, "the operator's settings name no Prometheus: set prometheus.url")
        owner = service or Key("", query.name)
        await self._slots.take(owner)
        loop, client = asyncio.get_running_loop(), self._client

        def work() -> Any:
            try:
                return client.custom_query(query.text)
            finally:
                # The slot is that of the thread, whoever still waits for it.
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._slots.give_back, owner)

        try:
            async with asyncio.timeout(DEADLINE):
                return _sample(await loop.run_in_executor(self._threads, work))
        except TimeoutError:
            return Sample(None, f"Prometheus did not answer within {DEADLINE:g} s")
        except PrometheusApiClientException as error:
            return _refused(str(error))
        except _Partial as error:
            return Sample(None, f"the answer is incomplete: {error}")
        except _TooLarge:
            return Sample(None, "the query returned far more than one number: use sum() or max()", is_final=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            # Neither the address nor the answer goes on: both may hold what is secret.
            logger.warning("the query of check %s: %s", query.name, type(error).__name__)
            return Sample(None, f"Prometheus gave no readable answer ({type(error).__name__})")


def _client(url: str, access: Access) -> PrometheusConnect:
    session = requests.Session()
    session.verify = access.ca or True
    session.cert = (access.certificate, access.key) if access.certificate else None
    session.trust_env = False
    session.max_redirects = 0
    session.hooks["response"].append(_refuse_partial)
    client = PrometheusConnect(url=url.rstrip("/"), session=session, timeout=DEADLINE)
    client.auth = _Bearer(access.token) if access.token else None
    # No attempts of its own: when to ask again is decided elsewhere, and its pauses would outlast the deadline.
    session.mount(client.url, _Bounded(max_retries=Retry(total=0)))
    return client


def _refuse_partial(response: requests.Response, *_: Any, **__: Any) -> None:
    answer = response.json() if response.status_code == 200 else {}
    if isinstance(answer, dict) and (warnings := answer.get("warnings")):
        raise _Partial("; ".join(str(warning)[:200] for warning in warnings[:3]))


def _sample(result: Any) -> Sample:
    """The one number of a result. Raises KeyError, TypeError or ValueError for what is no result."""
    if isinstance(result, list) and len(result) == 2 and not isinstance(result[0], dict):
        return Sample(float(result[1]))  # a scalar: [time, "value"]
    if not result:
        return Sample(None, "the query returned no series")
    if "values" in result[0]:
        return Sample(None, "the query returned a range of values and must return one: use rate() or max_over_time()", is_final=True)
    if len(result) > 1:
        return Sample(None, f"the query returned {len(result)} series and must return one: use sum() or max()", is_final=True)
    return Sample(float(result[0]["value"][1]))


def _refused(text: str) -> Sample:
    matched = _STATUS.match(text)
    status = int(matched[1]) if matched else 0
    if status not in _FINAL:
        return Sample(None, f"Prometheus answered {status or 'with an error'}")
    try:
        said = json.loads(matched[2].removeprefix("b")[1:-1].encode().decode("unicode_escape"))["error"] if matched else ""
    except (ValueError, KeyError, TypeError):
        said = "Prometheus cannot answer it"
    return Sample(None, f"the query does not work: {str(said)[:300]}", is_final=True)
