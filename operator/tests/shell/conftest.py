"""Namespaces on a real cluster, for the contract suite."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def real_namespaces(kubeconfig: Path, rights: None) -> Iterator[Callable[[], str]]:
    """Makes namespaces on the cluster, and deletes them in the end."""
    from kubernetes import client as typed
    from kubernetes import config

    config.load_kube_config(str(kubeconfig))
    made: list[str] = []

    def make() -> str:
        made.append(f"contract-{uuid.uuid4().hex[:8]}")
        typed.CoreV1Api().create_namespace({"metadata": {"name": made[-1]}})
        return made[-1]

    yield make
    for name in made:
        try:
            typed.CoreV1Api().delete_namespace(name)
        except typed.ApiException as error:
            if error.status != 404:
                raise


@pytest.fixture(scope="module")
def real_namespace(real_namespaces: Callable[[], str]) -> str:
    return real_namespaces()
