"""What was decided for a service: what should be, and what has to be read or written first."""

from dataclasses import dataclass
from datetime import datetime

from hardened.core.actions.log import LogEntry
from hardened.core.checks.pods import CheckPod
from hardened.core.desired.children import DesiredStack, Route
from hardened.core.hold.door import LetGo
from hardened.core.model.finding import Diagnosis
from hardened.core.model.hold import Hold
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.proof import Proof
from hardened.core.model.question import Question
from hardened.core.model.state import CheckOutcome, Rejection, ReleaseState
from hardened.core.model.target import Target
from hardened.core.runs.backups import HandRun


@dataclass(frozen=True)
class Decision:
    """What should be, and what comes before it."""

    stacks: tuple[DesiredStack, ...]
    """See desired_children."""
    active_route: Route
    """Of the Service that clients use."""
    serving: Target | None
    """Where clients' traffic goes."""
    focus: str
    """The colour whose pods are waited for."""
    replicas: int
    """What is wanted of the stack that serves."""
    preview_route: Route | None = None
    """Of the Service that leads to what is checked; None where there is none."""
    state: ReleaseState | None = None
    """The release at work."""
    has_moved: bool = False
    """Status does not say so yet, and nothing else may be written before it does."""
    marked: tuple[DesiredStack, ...] = ()
    """Revisions whose annotations are to be written before all."""
    check_pods: tuple[CheckPod, ...] = ()
    """The pods that work for the release."""
    outcomes: tuple[CheckOutcome, ...] = ()
    """What its checks have said, also where it has come to its end by that."""
    proof: Proof | None = None
    """What is known of lost requests."""
    actions: tuple[LogEntry, ...] = ()
    """What is remembered of actions."""
    rejection: Rejection | None = None
    """Why the revision that the spec asks for is not released."""
    is_back: bool = False
    """Traffic has left what was not wanted any more, and what the spec asks for serves."""
    question: Question | None = None
    """What has to be read before anything can be said."""
    waits_for: str = ""
    """What is not there that the revision depends on, and waits for."""
    hold: Hold | None = None
    """What keeps the service without pods, as this look leaves it."""
    intruders: str = ""
    """Who came to use the data while it is replaced, and what to do about it."""
    lets_go: LetGo | None = None
    """The Job of a restore that is to begin now."""
    unwanted_jobs: frozenset[ChildKey] = frozenset()
    """Jobs of restores that have not begun, and must not any more."""
    runs: tuple[HandRun, ...] = ()
    """Backups that somebody asked for, or that the release takes first, and that have no Job yet."""
    dependencies: tuple[Manifest, ...] = ()
    """How each thing is that it depends on, as status has it."""
    room: Diagnosis | None = None
    """What room its pods wait for, or why its backup takes longer than it should."""
    config: Diagnosis | None = None
    """What it cannot begin without, and somebody has to make."""
    look_at: datetime | None = None
    """When to look again."""
