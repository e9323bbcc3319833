"""What is told of an action whose Job is at work."""

from hardened.core.actions.log import MESSAGE_LIMIT, LogEntry
from hardened.core.model.run import Active, Run


def said_of(entry: LogEntry, run: Run, outcome: Active, doing: str) -> str:
    """Example: "Job web-restore-1a2b restores: its pod cannot be created: …". doing: what the Job does, in words.

    Why there is no pod yet is asked late in a look. Until then that stands which is on record: told of as if it were over, and then anew,
    it would be written twice with each look.
    """
    text = f"Job {run.job} {doing}"
    if outcome.message:
        return f"{text}: {outcome.message}"[:MESSAGE_LIMIT]
    return entry.message if run.lacks_pod and entry.message.startswith(f"{text}: ") else text
