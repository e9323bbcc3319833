"""A run as JSON: names as Kubernetes writes them, times in seconds."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, assert_never

from hardened.load.figures import Figures
from hardened.load.verdict import Invalid, LoadFailed, LoadPassed, Verdict

#: What a brief report leaves out; the rest fits into the 4 KiB of a pod's termination message.
_LONG = frozenset({"slowest", "due_by_second", "failed_by_second"})


def report(verdict: Verdict, figures: Figures | None, *, is_brief: bool = False) -> dict[str, Any]:
    """{verdict: Passed | Failed | Invalid, reasons: [sentence], figures: {…} or null}. figures: None where nothing was begun."""
    measured = None if figures is None else {name: value for name, value in _plain(figures).items() if not is_brief or name not in _BRIEF}
    return {"verdict": verdict.word, "reasons": reasons(verdict), "figures": measured}


def reasons(verdict: Verdict) -> list[str]:
    """Why it is no pass, as sentences; empty when it is one."""
    match verdict:
        case LoadPassed():
            return []
        case LoadFailed(violations=violations):
            return list(violations)
        case Invalid(reason=reason):
            return [reason]
        case _ as other:
            assert_never(other)


def _plain(value: Any) -> Any:
    """Values as JSON has them. Microseconds are as fine as the figures are."""
    if is_dataclass(value):
        return {_camel(one.name): _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_BRIEF = frozenset(map(_camel, _LONG))
