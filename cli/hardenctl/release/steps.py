"""Where a release is, by the operator's table of steps. That of a newer operator is none of them, and is shown as it is written."""

from hardened.api.steps import TABLE, Row, Step

#: What is taken to be true in a step that this program does not know: the operator judges what is asked of it there.
_UNKNOWN = Row(before_cutover=True)
_BY_NAME = {str(step): row for step, row in TABLE.items()}


def row_of(step: str) -> Row:
    """What is true of a release in a step, as status has it."""
    return _BY_NAME.get(step, _UNKNOWN)


def is_before_promotion(step: str) -> bool:
    """A person can still promote the revision."""
    return row_of(step).before_cutover and step != Step.SCALE_UP


def is_taking_over(step: str) -> bool:
    """Clients are led to a revision that is not promoted yet."""
    return row_of(step).is_unproven and not row_of(step).is_going_back
