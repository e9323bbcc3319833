"""The CLI installs without what only the operator, or whoever develops it, needs."""

from e2e.bench.installed import UNWANTED, packages


def test_the_cli_brings_neither_the_operators_framework_nor_that_of_the_tests() -> None:
    found = packages()
    assert {"hardened", "typer", "pykube-ng", "pydantic_core"} <= found.keys()
    assert not UNWANTED & found.keys()
    assert all(size > 0 for size in found.values())
