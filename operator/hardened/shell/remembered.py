"""What a process remembers of a service between two looks at it. Nothing that is lost with it does any harm."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hardened.api import names
from hardened.core.model.manifest import ChildKey
from hardened.core.observe.observed import Made
from hardened.errors import ApiFailure
from hardened.shell.api_server import Body
from hardened.shell.undeclared import Path

#: Pods of checks of one service of which it is remembered that they were made, or refused: more than a release has.
MOST_PODS: Final = 64


@dataclass(frozen=True)
class WrittenStatus:
    """What we last wrote as status, and what the server made of it: an older CRD prunes fields that it does not know."""

    wanted: str
    """The digest of what was to be written."""
    stored: Any
    """What the server has of it."""
    at: datetime
    """When it was written."""
    meant: Body | None = None
    """With what it lacks of fields that it knows, None where it lacks nothing."""
    lacks: frozenset[Path] = frozenset()
    """See Told.lacks."""


@dataclass
class Remembered:
    """Of one service."""

    refused: frozenset[str] = frozenset()
    """What failed in the last look, see Refusals."""
    status: WrittenStatus | None = None
    """The last one that this process wrote."""
    made: dict[ChildKey, Made] = field(default_factory=dict)
    """The pods of checks that this process made."""
    lacked: dict[ChildKey, str] = field(default_factory=dict)
    """What was done without, and why."""

    def as_meant(self, body: Body) -> Body:
        """The service with what its CRD could not keep of the status that this process wrote, as long as that status stands.

        Else a release would differ from what was written of it at every look, and never come to anything. A field of which nothing was
        kept is not added: nothing can follow from a release that the next process would know nothing of.
        """
        written = self.status
        is_known = written is not None and written.meant is not None and body.get("status") == written.stored
        return body | {"status": written.meant} if written and is_known else body

    @property
    def unkept(self) -> frozenset[str]:
        """The fields of the last status of which the CRD keeps nothing."""
        return frozenset(path[0] for path in self.status.lacks if len(path) == 1) if self.status else frozenset()

    def made_pod(self, child: ChildKey, live: Body) -> None:
        """A pod was made by this process: another one in its place is none that anybody asked for."""
        self.made.pop(child, None)
        own: Body = next((each for each in live["spec"]["containers"] if each["name"] == names.VERIFIER), {})
        self.made[child] = Made(live["metadata"]["uid"], own.get("image", ""))
        if len(self.made) > MOST_PODS:
            del self.made[next(iter(self.made))]

    def did_without(self, child: ChildKey, failure: ApiFailure) -> bool:
        """It could not be made, and is tried again at every look. Whether that is news."""
        is_news = self.lacked.get(child) != str(failure)
        if len(self.lacked) > MOST_PODS:
            self.lacked.clear()  # those of releases that are over
        self.lacked[child] = str(failure)
        return is_news
