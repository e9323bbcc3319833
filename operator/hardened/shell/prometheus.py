"""Questions to Prometheus, at the one address of the settings: by a blocking client, in a worker thread, with a deadline."""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from hardened.core.checks.queries import Query, Sample

logger = logging.getLogger(__name__)

#: Seconds for one answer, connecting included. The thread of one that comes later ends by itself a moment after.
DEADLINE: Final = 5.0
#: So many questions at once: two services with as many checks as may be.
THREADS: Final = 32
#: Bytes of an answer that are read. One number takes a few hundred; what a team's query can ask for has no end.
ANSWER_LIMIT: Final = 1 << 20
_STATUS: Final = re.compile(r"HTTP Status Code (\d+) \((.*)\)", re.S)
#: Bad requests: the query does not parse, or cannot be carried out. Asking again cannot help.
_FINAL: Final = frozenset({400, 422})

Ask = Callable[[Query], Any]


class _Partial(Exception):
    """An answer that Prometheus itself calls incomplete."""


class _TooLarge(requests.RequestException):
    """An answer that is not read to its end."""


class _Bounded(HTTPAdapter):
    """Reads no more than ANSWER_LIMIT bytes of an answer."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        response, body = super().send(*args, **{**kwargs, "stream": True}), bytearray()
        for chunk in response.iter_content(65536):
            body += chunk
            if len(body) > ANSWER_LIMIT:
                response.close()
                raise _TooLarge
        response._content = bytes(body)
        return response


class Prometheus:
    """Answers queries with one number. url: of the server, without `/api/v1`; "" for none: then nothing is known."""

    def __init__(self, url: str) -> None:
        self._client = _client(url) if url else None
        self._threads = ThreadPoolExecutor(THREADS, "prometheus")

    async def ask(self, query: Query) -> Sample:
        """One sample. Whatever goes wrong is no data, with a sentence; a query that cannot be answered at all is final."""
        if self._client is None:
            return Sample(None, "the operator's settings name no Prometheus: set prometheus.url")
        try:
            async with asyncio.timeout(DEADLINE):
                # Threads of its own: what Prometheus is slow to answer holds nothing else up, and little of itself.
                return _sample(await asyncio.get_running_loop().run_in_executor(self._threads, self._client.custom_query, query.text))
        except TimeoutError:
            return Sample(None, f"Prometheus did not answer within {DEADLINE:g} s")
        except PrometheusApiClientException as error:
            return _refused(str(error))
        except _Partial as error:
            return Sample(None, f"the answer is incomplete: {error}")
        except _TooLarge:
            return Sample(None, "the query gave far more than one number: use sum() or max()", is_final=True)
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            # Neither the address nor the answer goes on: both may hold what is secret.
            logger.warning("the query of check %s: %s", query.name, type(error).__name__)
            return Sample(None, f"Prometheus gave no answer that can be read ({type(error).__name__})")


def _client(url: str) -> PrometheusConnect:
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.hooks["response"].append(_refuse_partial)
    client = PrometheusConnect(url=url.rstrip("/"), session=session, timeout=DEADLINE)
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
        return Sample(None, "the query gave no series")
    if "values" in result[0]:
        return Sample(None, "the query gave a range of values, and should give one: use rate() or max_over_time()", is_final=True)
    if len(result) > 1:
        return Sample(None, f"the query gave {len(result)} series, and should give one: use sum() or max()", is_final=True)
    return Sample(float(result[0]["value"][1]))


def _refused(text: str) -> Sample:
    matched = _STATUS.match(text)
    status = int(matched[1]) if matched else 0
    if status not in _FINAL:
        return Sample(None, f"Prometheus answered {status or 'with an error'}")
    try:
        said = json.loads(matched[2].removeprefix("b")[1:-1].encode().decode("unicode_escape"))["error"] if matched else ""
    except (ValueError, KeyError, TypeError):
        said = "the query cannot be answered"
    return Sample(None, f"the query does not work: {str(said)[:300]}", is_final=True)
