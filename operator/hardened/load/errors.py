"""What can be wrong before the first request.

HardenedError
├── BadLoad       somebody asked for what cannot be done: name the argument and the remedy, send nothing
└── CannotStart   the generator could not begin: nothing is known of the target, the run is Invalid
"""

from hardened.errors import HardenedError


class BadLoad(HardenedError):
    """An argument cannot be used; the message names it and the remedy."""


class CannotStart(HardenedError):
    """The generator could not begin."""


def check_bounds(name: str, value: float, low: float, high: float) -> None:
    """Raises BadLoad unless low <= value <= high; a NaN is refused as well."""
    if not low <= value <= high:
        raise BadLoad(f"{name} must be from {low:g} to {high:g}, not {value:g}")
