"""What follows from one look at a release: the closed set of what a step may answer, and what the machine makes of it."""

from dataclasses import dataclass
from datetime import datetime

from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState


@dataclass(frozen=True)
class Transition:
    """What follows. What is to be marked is marked before the state is written, so that a lost status can be made again."""

    state: ReleaseState | None
    """None where no release is in progress."""
    promotes: str = ""
    """The revision to mark as promoted."""
    rejects: Rejection | None = None
    """What to mark as rejected."""
    look_at: datetime | None = None
    """When to look again if nothing happens before."""
    failed: str = ""
    """Why the rollback by hand that was at work has ended without success."""
    migrates: bool = False
    """How the migration is undone is to be marked."""
    leaves: bool = False
    """The revision is given up, without being rejected: whoever still means to promote it is told that it has changed."""


@dataclass(frozen=True)
class Stay:
    """The step goes on."""

    state: ReleaseState
    """The same, or with another deadline."""
    until: datetime | None = None
    """When something follows, if nothing happens before."""


@dataclass(frozen=True)
class Passed:
    """The next step of the sequence follows."""

    state: ReleaseState


@dataclass(frozen=True)
class Failed:
    """The release is over: before the cutover nothing has to be switched back, after it traffic is led back first."""

    state: ReleaseState
    reason: Reason | None
    """Why the revision is rejected; None where it is just not wanted any more."""
    message: str = ""


@dataclass(frozen=True)
class Begin:
    """A release begins, or stands in line anew: the first step of the sequence that applies follows."""

    state: ReleaseState


@dataclass(frozen=True)
class Anew:
    """The release is over. What is asked for now is looked at as if there had been none."""

    otherwise: Transition = Transition(None)
    """What follows where nothing begins."""


#: All that a step, or a guard, may answer.
Advance = Transition | Stay | Passed | Failed | Begin | Anew
