"""Where a release is, by core's steps. That of a newer operator is none of them, and is shown as it is written."""

from hardened.api.steps import TABLE, Step

_GOING_BACK = frozenset({Step.SWITCH_BACK, Step.UNDO})
_KNOWN = frozenset(Step)
_BEFORE_CUTOVER = frozenset(step for step, row in TABLE.items() if row.before_cutover)
_UNPROVEN = frozenset(step for step, row in TABLE.items() if row.is_unproven)


def is_before_cutover(step: str) -> bool:
    """The revision does not serve yet. A step that this program does not know is taken to be one of these: the operator knows better."""
    return step in _BEFORE_CUTOVER or step not in _KNOWN


def is_before_promotion(step: str) -> bool:
    """A person can still promote the revision."""
    return is_before_cutover(step) and step != Step.SCALE_UP


def is_moving_traffic(step: str) -> bool:
    """Clients are led to a revision that is not promoted yet, or away from it again."""
    return step in _UNPROVEN


def is_taking_over(step: str) -> bool:
    """Clients are led to a revision that is not promoted yet."""
    return is_moving_traffic(step) and not is_going_back(step)


def is_going_back(step: str) -> bool:
    """What the release did is taken back."""
    return step in _GOING_BACK
