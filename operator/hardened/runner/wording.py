"""What restic's exit status and last words mean. They are those of restic 0.18."""

import json
import re

from hardened.runner.failures import Failed, Reason

_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: What it says of its end where it was ended for its time was over.
_OF_OUR_OWN = ("signal terminated received", "context canceled")
#: Exit statuses of their own.
UNREADABLE = 3
LOCKED = 11
_BY_CODE = {
    10: Reason.REPOSITORY_MISSING,
    LOCKED: Reason.REPOSITORY_LOCKED,
    12: Reason.WRONG_PASSWORD,
    130: Reason.INTERRUPTED,
}
_FULL = ("no space left on device", "disk quota exceeded", "quotaexceeded", "storagefull", "insufficient storage", "insufficientstorage")
_DAMAGED = (
    "ciphertext verification failed",
    "decryption failed",
    "decompressi",
    "hash mismatch",
    "wrong data returned",
    "invalid data returned",
    "eof of pack",
    "readfull",
    "not found in repository",
    "unknown blob",
    "packs failed",
    "is damaged",
    # Of a pack: where a restore writes, everything is made.
    "no such file or directory",
    "key does not exist",
)
_UNREACHABLE = (
    "connection refused",
    "no such host",
    "i/o timeout",
    "connection reset",
    "network is unreachable",
    "no route to host",
    "x509:",
    "access denied",
    "accessdenied",
    "invalidaccesskeyid",
    "signaturedoesnotmatch",
    "unable to open repository",
)


def failure_of(code: int, err: str, *, scratch: str, otherwise: Reason = Reason.REPOSITORY_FAILED) -> Failed:
    """Why a call failed.

    err: the last lines of its standard error; scratch: the folder of its temporary files; otherwise: where nothing else fits.
    """
    message = last_words(err) or f"restic ended with {code} and said nothing"
    if has_no_bucket(err):
        return Failed(Reason.REPOSITORY_MISSING, "the bucket does not exist")
    if reason := _BY_CODE.get(code):
        return Failed(reason, message)
    said = err.lower()
    if any(word in said for word in _FULL):
        own = any(scratch in line for line in err.splitlines() if any(word in line.lower() for word in _FULL))
        return Failed(Reason.SCRATCH_FULL if own else Reason.REPOSITORY_FULL, message)
    if "empty password" in said:
        return Failed(Reason.WRONG_PASSWORD, message)
    if any(word in said for word in _UNREACHABLE):
        return Failed(Reason.REPOSITORY_UNREACHABLE, message)
    return Failed(otherwise, message)


def has_no_bucket(err: str) -> bool:
    """Whether the bucket is not there: restic hopes for a quarter of an hour that it may come."""
    return "bucket does not exist" in err


def is_damage(err: str) -> bool:
    """Whether what restic read from the repository was not what it wrote there."""
    said = err.lower()
    return any(word in said for word in _DAMAGED)


def last_words(err: str) -> str:
    """What restic died of: its `exit_error` where it said one, else its last lines; on one line.

    Example: '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password"}' -> "wrong password".
    """
    lines = [line for line in _ESCAPE.sub("", err).splitlines() if line.strip() and not any(words in line for words in _OF_OUR_OWN)]
    for line in reversed(lines):
        if message := _exit_error(line):
            return _on_one_line(message)
    return _on_one_line(" ".join(lines[-4:]))


def _exit_error(line: str) -> str:
    try:
        found = json.loads(line)
    except ValueError:
        return ""
    is_last = isinstance(found, dict) and found.get("message_type") == "exit_error"
    return str(found.get("message", "")) if is_last else ""


def _on_one_line(text: str) -> str:
    return " ".join(text.removeprefix("Fatal: ").split())
