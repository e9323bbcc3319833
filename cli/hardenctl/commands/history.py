"""`history`: the revisions of a service."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hardenctl.asking.arguments import NameArgument
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.formats import table
from hardenctl.output.moments import age, moment
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.output.program import PROG
from hardenctl.release.lookup import find
from hardenctl.release.revisions import Stored, before, stored_of
from hardenctl.release.state import pin_of, release_of, serving_of, stable_of
from hardened.api.steps import Step

OUTPUTS = ("wide", "json", "yaml", "name")
EXAMPLES = (
    "history shop                           # the newest first",
    "history shop -o wide                   # with the full cause of each rejection",
    "rollback shop --to-revision 3          # roll back to one of them",
)
MORE = (
    "`rollback --to-revision` takes NUMBER or REVISION. STATE: `serves` receives the clients' requests, `stable` was promoted last, "
    "`promoted` served before, `rejected` failed before its cutover, `rolled back` failed after it, or was rolled back by hand; "
    "`deleted` is gone for good. spec.release.historyLimit says how many are kept; rejected ones are kept in addition."
)

#: The most characters of a cause in the table: the whole of it is in -o wide.
_SHORT = 72


def run(session: Session, name: NameArgument) -> Exit:
    """Lists them, the newest first."""
    live, console = find(session, name), session.console
    kept = stored_of(session, live, console.warn)
    target = before(kept, live, moments.now())
    flag = session.cluster_flags
    step = f"{PROG} rollback {name} -n {session.namespace} --to-revision {target.revision}{flag}" if target else ""
    if pin_of(live):  # what serves was gone back to already: why is asked first
        step = f"{PROG} explain {name} -n {session.namespace}{flag}"
    match console.output:
        case "json" | "yaml":
            meta = live["metadata"]
            rows = [_data(each, live) for each in kept]
            console.data(
                {"result": str(ResultWord.OK), "namespace": meta["namespace"], "name": meta["name"], "revisions": rows, "next": step}
            )
        case "name":
            for each in kept:
                if each.name:
                    console.print(f"controllerrevision.apps/{each.name}")
        case form:
            console.print(_text(kept, live, moments.now(), is_wide=form == "wide"))
            console.advise(step)
    return Exit.OK


def _text(kept: list[Stored], live: Mapping[str, Any], now: datetime, *, is_wide: bool) -> str:
    if not kept:
        return "no revision is stored yet"
    if is_wide:
        all_columns = ("NUMBER", "REVISION", "IMAGE", "CREATED", "PROMOTION", "STATE", "CAUSE")
        return table(
            all_columns, [(*_cells(e), e.created_at, str(e.annotations.promotion or "-"), _state(e, live), _cause(e)) for e in kept]
        )
    head = ("NUMBER", "REVISION", "IMAGE", "AGE", "STATE", "CAUSE")
    return table(head, ((*_cells(e), _age(e, now), _state(e, live), _cut(_cause(e))) for e in kept))


def _cells(each: Stored) -> tuple[str, str, str]:
    return str(each.number or "?"), each.revision, each.image


def _age(each: Stored, now: datetime) -> str:
    return age(moment({"at": each.created_at}, "at"), now)


def _state(each: Stored, live: Mapping[str, Any]) -> str:
    return ", ".join(states(each, live)) or "-"


def states(each: Stored, live: Mapping[str, Any]) -> list[str]:
    """What a revision is, and what became of it. Example: ["serves", "stable"]."""
    release = release_of(live)
    is_stable, last = each.revision == stable_of(live), each.rejection
    words = {
        "serves": each.revision == serving_of(live),
        "stable": is_stable,
        f"in {release.step}" if release else "": release is not None and release.revision == each.revision and release.step != Step.KEEP,
        "promoted": each.annotations.promotion > 0 and not is_stable,
        "rolled back": last is not None and last.after_cutover,
        "rejected": last is not None and not last.after_cutover,
        "deleted": each.is_missing,
    }
    return [word for word, holds in words.items() if holds]


def _cause(each: Stored) -> str:
    last = each.rejection
    return " ".join(f"{last.reason}: {last.message}".split()) if last else ""


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def _data(each: Stored, live: Mapping[str, Any]) -> dict[str, Any]:
    rejected = [
        {"key": r.key, "reason": str(r.reason), "message": r.message, "afterCutover": r.after_cutover} for r in each.annotations.rejections
    ]
    return {
        "number": each.number,
        "revision": each.revision,
        "image": each.image,
        "createdAt": each.created_at,
        "promotion": each.annotations.promotion,
        "states": states(each, live),
        "serves": each.revision == serving_of(live),
        "stable": each.revision == stable_of(live),
        "rejections": rejected,
        "missing": each.is_missing,
    }
