"""What an action is judged by, and what may become of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hardened.api.action import HardenedServiceActionSpec
from hardened.api.steps import Step
from hardened.core.actions.log import LogEntry
from hardened.core.actions.with_data import DataOf
from hardened.core.model.hold import Hold
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState


@dataclass(frozen=True)
class RollbackTarget:
    """A revision that can be gone back to: it was promoted, is stored, and is not rejected."""

    revision: str
    promotion: int
    """The number of its last promotion."""


@dataclass(frozen=True)
class AdmissionContext:
    """What actions are judged by."""

    state: ReleaseState | None
    seen: Input
    targets: Callable[[], Sequence[RollbackTarget]]
    """Finds what can be gone back to, the last promoted first."""
    key: Callable[[str], str]
    """Of a revision, see ReleaseState."""
    obstacle: str = ""
    """Why nothing can be done by hand."""
    is_deaf: bool = False
    """What is decided could not be written down, under an older CRD."""
    crosses: Callable[[str], str] = lambda _: ""
    """Finds a revision whose migration ran since another was promoted, "" for none."""
    stops_backup: Callable[[str, str], str] = lambda _action, _name: ""
    """Finds why this action on the backup of this name cannot begin, "" for nothing."""
    stops_restore: Callable[[HardenedServiceActionSpec], str] = lambda _: ""
    """Finds why this restore cannot begin, whatever is released; "" for nothing."""
    data_of: Callable[[str], DataOf] = lambda _: DataOf()
    """Finds the data that belongs to a revision, for a rollback with data."""
    hold: Hold | None = None
    """What keeps the service without pods, as status has it."""
    sought: LogEntry | None = None
    """The restore whose snapshot is looked up."""
    is_let_go: bool = True
    """The Job of the hold may have begun, see core.hold.door."""
    is_at_work: bool = True
    """It is at work."""

    @property
    def is_before_cutover(self) -> bool:
        """Whether a release is at work, and traffic has not been led to it yet."""
        return self.step is not None and self.step.row.before_cutover

    @property
    def step(self) -> Step | None:
        """Where the release is; in Keep already, where only the state does not say so yet."""
        if self.state and self.state.step is Step.VERIFY_AFTER and self.seen.stable == self.state.target:
            return Step.KEEP
        return self.state.step if self.state else None

    @property
    def serving(self) -> str:
        """The revision that clients were led to last; "" for none."""
        if self.state and self.step in (Step.CUTOVER, Step.VERIFY_AFTER) and not self.state.is_by_hand:
            return self.state.target.revision
        return self.seen.stable.revision if self.seen.stable else ""


@dataclass(frozen=True)
class Refused:
    """Nothing is done."""

    why: str


@dataclass(frozen=True)
class Begun:
    """Its effect is on its way."""

    said: str
    revision: str
    """Whose."""
    key: str = ""
    """See ReleaseState."""
    left: str = ""
    """See LogEntry."""
    data: DataOf | None = None
    """Of a rollback: what is restored with it."""


@dataclass(frozen=True)
class Done:
    """It is done with the entry itself."""

    said: str
    state: ReleaseState


@dataclass(frozen=True)
class GivenUp:
    """An abort has ended a hold."""

    said: str
    key: str
    """See LogEntry."""


Ruled = Refused | Begun | Done | GivenUp
