"""Fixtures of the tests on a real cluster: one for each process of a run, brought up here unless the environment names one."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from e2e import order, workers
from e2e.cluster import Provider, choose
from e2e.cluster.local.cluster import LocalCluster
from e2e.install import install
from e2e.samples import sample
from e2e.workloads.build import build

#: With a name of its own for each process that runs tests side by side: one may stop what another one's tests need.
CLUSTER = workers.own_name(os.environ.get("CLUSTER", "test"))
#: Processes that `pytest -n auto` runs side by side, each with a cluster of its own: a fourth is too many for two cores.
WORKERS = 3

# How long one example takes is the machine's affair: on a busy one it says nothing of the code. A test as a whole has its time-out.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell without job control starts what it runs in the background with SIGINT ignored, and so would be all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One process, and none beside it, where there is only the cluster that HARDENED_KUBECONFIG names."""
    return 0 if os.environ.get("HARDENED_KUBECONFIG") else WORKERS


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Marks what is not in a sample before pytest chooses by marks, and orders what it has chosen where processes share it."""
    _mark_all_but_samples(items, names=("sampled",) if _names_files(config) else ("sampled", "one_of"))
    yield
    if hasattr(config, "workerinput"):
        seconds = order.known()
        items[:] = order.longest_first(
            items, unit=lambda item: order.unit_of(item.nodeid), seconds=lambda item: seconds.get(order.function_of(item.nodeid), 0)
        )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands out one test at a time, or all of a file that are to stay together. pytest-xdist's own groups do not: they are told to this
    process as a part of a test's id, which pytest does not pass on since 9.2."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class ByUnit(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return order.unit_of(nodeid)

    return ByUnit(config, log)


def _names_files(config: pytest.Config) -> bool:
    """Who names a test file runs the whole of it, not the part that `make check` has time for."""
    return any(argument.partition("::")[0].endswith(".py") for argument in config.args)


def _mark_all_but_samples(items: list[pytest.Item], names: Sequence[str]) -> None:
    """Of a file with a mark that samples its tests, all but the sample get the mark under which they are run."""
    for name in names:
        marked = [item for item in items if item.get_closest_marker(name)]
        for _, group in groupby(marked, key=lambda item: item.path):
            cases = list(group)
            mark = cases[0].get_closest_marker(name)
            assert mark
            count = mark.args[0] if name == "sampled" else -(-len(cases) // mark.args[0])
            chosen = sample(cases, count, by=lambda item: item.nodeid)
            for item in cases:
                if item not in chosen:
                    item.add_marker("full" if name == "sampled" else "exhaustive")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Provider]:
    """A cluster with the workload's images on its nodes, which enforces NetworkPolicies where it is built here.

    It is taken down at the end, unless HARDENED_KEEP is set or it was there before.
    """
    provider = choose(CLUSTER)
    was_there = bool(provider.status())
    try:
        provider.up(firewall=True)
        provider.load([build("static", version) for version in ("v1", "v2", "v3")])
        yield provider
    finally:
        if not was_there and not os.environ.get("HARDENED_KEEP"):
            provider.down()


@pytest.fixture(scope="session")
def kubeconfig(cluster: Provider) -> Iterator[Path]:
    """Administrator's access to the cluster; KUBECONFIG names it too, as for a person."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(cluster.kubeconfig))
        yield cluster.kubeconfig


@pytest.fixture(scope="session")
def rights(cluster: Provider) -> None:
    """The operator's CRD, account and rights, without a running operator: a test runs its own, as a process."""
    install(cluster, helm_args=("--set", "replicas=0"))


@pytest.fixture(scope="session")
def local(cluster: Provider) -> LocalCluster:
    """The cluster, where its parts can be stopped one by one and its audit log read; elsewhere the test is skipped."""
    if not isinstance(cluster, LocalCluster):
        pytest.skip("needs a cluster of the local provider: its components are stopped, or its audit log is read")
    return cluster
