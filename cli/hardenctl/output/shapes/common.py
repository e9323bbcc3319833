"""What more than one verb prints."""

from typing import Any

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord

#: An object of the cluster, or a part of one, as it is there.
AsInCluster = dict[str, Any]


class Failure(TypedDict):
    """How every verb ends that could not do what it was asked."""

    result: ResultWord
    message: str
    """What is wrong."""
    hint: str
    """What to do about it, empty if the message says so."""
    next: str
    """A command to type, empty for none."""
