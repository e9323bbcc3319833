"""The steps of a release, by the names that status has, and what is true of a release in each of them.

A row of the table is all that anybody but the step itself needs to know of it: what a person reads, what the operator counts, when it looks
again. What happens in a step is in its file under `core/release/steps`; in which order they come is in `core/release/table.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Step(StrEnum):
    """Where a release is."""

    PREFLIGHT = "Preflight"
    QUEUED = "Queued"
    BACKUP = "Backup"
    MIGRATE = "Migrate"
    PREVIEW = "Preview"
    VERIFY_BEFORE = "VerifyBefore"
    APPROVAL = "Approval"
    SCALE_UP = "ScaleUp"
    CUTOVER = "Cutover"
    VERIFY_AFTER = "VerifyAfter"
    SWITCH_BACK = "SwitchBack"
    UNDO = "Undo"
    KEEP = "Keep"

    @property
    def row(self) -> "Row":
        """What is true of a release in this step."""
        return TABLE[self]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is true of a release in one step."""

    doing: str = ""
    """What the revision does, for people, after its name. Example: "comes up"."""
    before_cutover: bool = False
    """The active Service leads to stable, and a newer spec simply takes over."""
    has_pods: bool = True
    """Pods of the new revision are wanted."""
    holds_slot: bool = False
    """It counts among the releases at work, of which the operator bears so many at a time."""
    is_timed: bool = False
    """It must get further within the progress deadline."""
    is_growing: bool = False
    """It waits for pods to become available; room that they lack is waited for, without a deadline."""
    is_polled: bool = False
    """The world is looked at from time to time: a restart that is over quickly leaves no event, nor does the end of a pod."""
    is_judged: bool = False
    """A verdict is waited for, and so are the pods that are to give it."""
    is_unproven: bool = False
    """Traffic is led to a revision that has not passed yet: it comes to its end also where the service is suspended."""
    is_going_back: bool = False
    """What the release did is taken back."""
    checks: Literal["", "before", "after"] = ""
    """Which checks of the spec are asked, or are about to be: those before the cutover, or those after it."""
    is_probed: bool = False
    """The zero-loss probe runs: it begins before the traffic moves, and ends with the window."""


#: By the step. A step that is added needs a row here, its file, and its place in a sequence.
TABLE: dict[Step, Row] = {
    Step.PREFLIGHT: Row(doing="waits for its requirements", before_cutover=True, has_pods=False),
    Step.QUEUED: Row(
        doing="waits for a free slot (maxConcurrentReleases and namespaceShare of the operator's chart)",
        before_cutover=True,
        has_pods=False,
    ),
    Step.BACKUP: Row(doing="waits for a backup before it starts", before_cutover=True, has_pods=False, holds_slot=True),
    Step.MIGRATE: Row(doing="waits for its migration", before_cutover=True, has_pods=False, holds_slot=True, is_polled=True),
    Step.PREVIEW: Row(doing="starts", before_cutover=True, holds_slot=True, is_timed=True, is_growing=True, checks="before"),
    Step.VERIFY_BEFORE: Row(doing="is being checked", before_cutover=True, holds_slot=True, is_timed=True, is_judged=True, checks="before"),
    Step.APPROVAL: Row(doing="awaits promotion", before_cutover=True),
    Step.SCALE_UP: Row(
        doing="scales up to full size", before_cutover=True, holds_slot=True, is_timed=True, is_growing=True, is_judged=True, is_probed=True
    ),
    Step.CUTOVER: Row(doing="takes over", holds_slot=True, is_timed=True, is_polled=True, is_unproven=True, is_probed=True),
    Step.VERIFY_AFTER: Row(
        doing="is watched under live traffic",
        holds_slot=True,
        is_polled=True,
        is_judged=True,
        is_unproven=True,
        checks="after",
        is_probed=True,
    ),
    Step.SWITCH_BACK: Row(doing="is being rolled back", holds_slot=True, is_polled=True, is_unproven=True, is_going_back=True),
    Step.UNDO: Row(doing="has ended, and its migration is being undone", has_pods=False, is_polled=True, is_going_back=True),
    Step.KEEP: Row(doing="serves; the previous colour is kept for a while"),
}
