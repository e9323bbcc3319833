"""What is known of a migration that did not come to a good end, and what becomes of the data."""

from hardened.core.model.input import Input, Verdict
from hardened.core.model.state import Migration


def half_done(seen: Input) -> Migration | None:
    """How far a migration has come that did not end well. One that was interrupted may have done anything: it is undone as if it were done.
    One that gave up by itself is not: what undoes it is written for one that is complete."""
    return Migration.DONE if seen.migration.is_interrupted and seen.migration.migrated[0] is Verdict.FAILED else None


def left_to_do(seen: Input) -> str:
    """What becomes of the data. Nothing undoes a migration that gave up by itself."""
    has_undo = seen.migration.undo_within is not None
    if half_done(seen):
        return "its undo is run after it" if has_undo else "nothing undoes it: put the data right by hand first"
    if seen.migration.is_running:
        return "it may yet end, and is undone if it ends well" if has_undo else "it may yet end, and nothing undoes it"
    undo = "its undo does not run" if has_undo else "nothing undoes it"
    return f"nobody knows how far it came, and {undo}: put the data right by hand first"
