"""What is known of a migration that did not come to a good end, and what becomes of the data."""

from hardened.core.checks.verdicts import NEVER_STARTED
from hardened.core.model.input import Input, Verdict
from hardened.core.model.state import Migration


def half_done(seen: Input) -> Migration | None:
    """How far a migration has come that did not end well. One that was interrupted may have done anything: it is undone as if it were done.
    One that gave up by itself is not: what undoes it is written for one that is complete."""
    return Migration.DONE if seen.migration.is_interrupted and seen.migration.migrated[0] is Verdict.FAILED else None


def left_to_do(seen: Input) -> str:
    """What becomes of the data. Nothing undoes a migration that gave up by itself."""
    if seen.migration.migrated[1].startswith(NEVER_STARTED):
        return "it never ran: there is nothing to repair; correct spec.release.migrate"
    has_undo = seen.migration.undo_within is not None
    if half_done(seen):
        return "its undo runs next" if has_undo else "nothing undoes it: repair the data by hand first"
    if seen.migration.is_running:
        return "it may still end, and is undone if it succeeds" if has_undo else "it may still end, and nothing undoes it"
    undo = "its undo does not run" if has_undo else "nothing undoes it"
    return f"it is unknown how far it came, and {undo}: repair the data by hand first"
