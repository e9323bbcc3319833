"""Label selectors, as the server reads them in a list call."""

import re

from tests.memory.fields import Body

from hardened.errors import Refused

_SET = re.compile(r"(\S+)\s+(in|notin)\s+\(([^()]*)\)")


def matches(selector: str, body: Body) -> bool:
    """Example: `a=b,c!=d,e,!f,g in (x, y)`. Raises Refused (400) for what is none."""
    labels = body["metadata"].get("labels") or {}
    return all(_holds(part.strip(), labels) for part in re.split(r",(?![^(]*\))", selector) if part.strip())


def _holds(part: str, labels: dict[str, str]) -> bool:
    if found := _SET.fullmatch(part):
        values = {value.strip() for value in found[3].split(",")}
        # `notin` and `!=` hold as well where the label is missing.
        return (labels.get(found[1]) in values) == (found[2] == "in")
    if " " in part:
        raise Refused(f"unable to parse requirement: {part}", status=400, reason="BadRequest")
    if "!=" in part:
        key, _, value = part.partition("!=")
        return labels.get(key) != value
    if "=" in part:
        key, _, value = part.partition("=")
        return labels.get(key) == value.removeprefix("=")
    return part[1:] not in labels if part.startswith("!") else part in labels
