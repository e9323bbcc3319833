"""kopf's tasks: spawned, ended, and spawned anew for as long as the API server does not tell them of everything that is to be watched."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import kopf
from kopf._cogs.structs.references import Insights  # what spawn_tasks takes has no public name

from hardened.shell import watches
from hardened.shell.watches import OPTIONAL, WATCHED, Login, Watching

logger = logging.getLogger(__name__)

#: How long kopf may take to end its watches.
KOPF_SECONDS: Final = 2.0
#: Seconds until the API server is asked again what it has. A CRD takes it moments, and each of several servers its own.
DISCOVERY_PAUSE: Final = 1.0
#: The same where only kinds are missing that a cluster with older CRDs lacks. Everything is listed anew each time.
OPTIONAL_PAUSE: Final = 300.0


async def watch(
    watching: Watching, load: Callable[[], Any], *, namespaces: Sequence[str], spawned: Callable[[], None], complete: Callable[[], None]
) -> None:
    """Watches until cancelled, or until one of kopf's tasks ends: then it raises what that one raised, or returns.

    load: the credentials; namespaces: empty for the whole cluster; spawned: told each time that kopf has put its signal handlers in place;
    complete: told once everything is being watched.
    """
    # kopf asks only once what the API server has, and what is missing in that reply is never watched, without an error.
    while missing := await _watch(watching, load, namespaces, spawned, complete):
        logger.warning("the API server does not tell yet of %s: it is asked again in %.0f s", ", ".join(missing), DISCOVERY_PAUSE)
        await asyncio.sleep(DISCOVERY_PAUSE)


async def _watch(
    watching: Watching, load: Callable[[], Any], namespaces: Sequence[str], spawned: Callable[[], None], complete: Callable[[], None]
) -> list[str]:
    """The kinds that the API server does not tell of; empty when kopf ended by itself."""
    registry, insights, stop = kopf.OperatorRegistry(), Insights(), asyncio.Event()
    chosen = watches.settings()
    watches.register(registry, Login(load, watching))
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=chosen,
        insights=insights,
        clusterwide=not namespaces,
        namespaces=namespaces,
        standalone=True,
        stop_flag=stop,
    )
    spawned()
    scanned = asyncio.create_task(insights.ready_resources.wait(), name="discovery")
    # Not kopf.run_tasks: when one watch fails it waits for all tasks of the process, ours too, and nothing is heard of until then.
    try:
        done, _ = await asyncio.wait([*tasks, scanned], return_when=asyncio.FIRST_COMPLETED)
        if scanned in done:
            found = {(resource.group, resource.version, resource.plural) for resource in insights.watched_resources}
            if missing := [kind.plural for kind in WATCHED if (kind.group, kind.version, kind.plural) not in found]:
                # Without this flag kopf would have the process killed some seconds after its tasks were cancelled.
                if not {kind.plural for kind in OPTIONAL}.issuperset(missing):
                    stop.set()
                    return missing
                watching.signs.leave_out(missing)
            complete()
            done, _ = await asyncio.wait(tasks, timeout=OPTIONAL_PAUSE if missing else None, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                stop.set()
                return missing
        for task in done:
            task.result()
        return []
    finally:
        for task in (scanned, *tasks):
            task.cancel()
        await asyncio.wait(tasks, timeout=KOPF_SECONDS)
