"""How long a release may take by its own deadlines: a wait that ends before them would tell nothing."""

import re
from collections.abc import Mapping
from typing import Any

#: The API's defaults, in seconds.
_STEP = 600.0
_MIGRATION = 600.0
_BACKUP = 3600.0
_WINDOW = 10.0
#: Preview, VerifyBefore, ScaleUp and Cutover have the deadline anew, the window may need it for its results, and the way back has it too.
_STEPS = 6
#: Seconds until the operator, and the network, have told of the end.
_BEYOND = 120.0
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d{1,5})(ms|h|m|s)")
_DURATION = re.compile(rf"({_PART.pattern})+")


def release_span(live: Mapping[str, Any]) -> float:
    """Seconds after which a release of this spec has ended, one way or the other, unless it waits for a person or for what is missing.

    A field that cannot be read counts as left out: the API server, or the operator, says what is wrong with it.
    """
    spec = _mapping(live.get("spec"))
    release, window = _mapping(spec.get("release")), _mapping(_mapping(spec.get("verify")).get("afterCutover"))
    total = _STEPS * _span(release.get("progressDeadline"), _STEP) + _span(window.get("window"), _WINDOW) + _BEYOND
    migrate = release.get("migrate")
    if isinstance(migrate, Mapping):
        total += _span(migrate.get("deadline"), _MIGRATION) * (2 if migrate.get("undo") else 1)
    if release.get("backupFirst"):
        total += _span(_backup(spec, release["backupFirst"]).get("deadline"), _BACKUP)
    return total + _span(release.get("autoPromoteAfter"), 0.0)


def _backup(spec: Mapping[str, Any], name: Any) -> Mapping[str, Any]:
    return next((each for each in spec.get("backups") or () if isinstance(each, Mapping) and each.get("name") == name), {})


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _span(text: Any, default: float) -> float:
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        return default
    return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
