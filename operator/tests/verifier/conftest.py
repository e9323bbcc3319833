"""Virtual time: a schedule of a minute is run in no time, and always the same."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.shell import virtual_time


@pytest.fixture
def virtually() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine in virtual time."""
    return virtual_time.run
