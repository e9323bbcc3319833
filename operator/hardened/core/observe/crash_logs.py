"""The end of the log of a container that crashed, as far as it goes into the cause of a rejection. Off unless the chart says otherwise."""

import re
from collections.abc import Iterable

from hardened.api.text import plain
from hardened.core.model.annotations import MESSAGE_LIMIT
from hardened.core.model.manifest import Manifest
from hardened.core.model.question import ReadLog
from hardened.core.observe.diagnosis import NEVER_RAN

#: What precedes it in a cause.
_HEAD = "; its log ends with: "
#: The least characters that are worth it.
_LEAST = 40
#: Colours, and whatever else drives a terminal.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def log_of_crash(pods: Iterable[Manifest], lines: int) -> ReadLog | None:
    """Which log tells of a crash: that of the first container that has ended with an error. None where none has, and for no lines.

    pods: in the order in which they are looked at; lines: of its end.
    """
    found = (asked for pod in pods for asked in _ended(pod, lines)) if lines > 0 else ()
    return next(iter(found), None)


def with_log(message: str, log: str) -> str:
    """A cause with the end of a log behind it, in one line of plain text: as much of it as a remembered message has room for.

    Example: ("pod a ended with exit code 3 (Error)", "a\\nno config\\n") -> "… (Error); its log ends with: a | no config".
    """
    room = MESSAGE_LIMIT - len(message) - len(_HEAD)
    said = " | ".join(line for each in log.splitlines() if (line := " ".join(plain(_SEQUENCE.sub("", each)).split())))
    if not said or room < _LEAST:
        return message
    # The last words are those that tell most.
    return f"{message}{_HEAD}{said if len(said) <= room else '…' + said[len(said) - room + 1 :]}"


def _ended(pod: Manifest, lines: int) -> Iterable[ReadLog]:
    status = pod.get("status") or {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        now, before = (((container.get(place) or {}).get("terminated") or {}) for place in ("state", "lastState"))
        ended = now or before
        if ended.get("exitCode") and ended.get("reason") not in NEVER_RAN:
            yield ReadLog(str(pod["metadata"]["name"]), str(container["name"]), is_previous=not now, lines=lines)
