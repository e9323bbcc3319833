"""Services in a table, a line each: of a namespace, or of all."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from hardenctl.cluster.paths import ALL_SERVICES, services, with_query
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.console import Console
from hardenctl.output.formats import table
from hardenctl.output.moments import age, moment
from hardenctl.output.outcome import Exit, ResultWord, worst
from hardenctl.output.program import PROG
from hardenctl.release import report
from hardenctl.release.lookup import is_there
from hardenctl.release.verdict import ServiceVerdict, status, verdict_of
from hardened.core.model.manifest import Manifest

ServicesArgument = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="The services (default: all).", show_default=False)]
AllOption = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")]

Row = tuple[Mapping[str, Any], ServiceVerdict]


def show(session: Session, *, is_everywhere: bool, selector: str = "") -> Exit:
    """Every service, in the order of the server: by namespace and name. Returns the worst of their codes."""
    path = ALL_SERVICES if is_everywhere else services(session.namespace)
    found: list[Manifest] = session.cluster.get(with_query(path, labelSelector=selector or None)).get("items") or []
    return show_these(session, found, is_everywhere=is_everywhere)


def show_these(session: Session, found: Sequence[Manifest], *, is_everywhere: bool = False) -> Exit:
    """These services. is_everywhere: their namespaces are a column."""
    console, now = session.console, moments.now()
    rows = [(live, verdict_of(live, now)) for live in found]
    code = worst(verdict.code for _, verdict in rows) if rows else Exit.OK
    match console.output:
        case "json" | "yaml":
            result = next((verdict.result for _, verdict in rows if verdict.code == code), ResultWord.OK)
            shown = [report.summary(live, verdict, session.cluster_flags) for live, verdict in rows]
            console.data({"result": str(result), "services": shown})
        case "name":
            for live, _ in rows:
                console.print(report.full_name(live))
        case form if rows:
            console.print(_table(console, rows, now, is_everywhere=is_everywhere, is_wide=form == "wide"))
        case _:
            _tell_of_none(session, is_everywhere=is_everywhere)
    return code


def _tell_of_none(session: Session, *, is_everywhere: bool) -> None:
    console, here = session.console, session.namespace
    if not is_everywhere and not is_there(session, here):
        console.print(f"there is no namespace {here}")
    else:
        console.print(f"there are no hardened services in {'the cluster' if is_everywhere else f'namespace {here}'}")
    step = "deploy NAME --image IMAGE" if is_everywhere else "get -A"
    console.advise(f"{PROG} {step}{session.cluster_flags}")


def _table(console: Console, rows: Sequence[Row], now: datetime, *, is_everywhere: bool, is_wide: bool) -> str:
    head = ("NAMESPACE",) * is_everywhere + ("NAME", "RESULT", "PODS", "REVISION", "COLOR", "AGE") + ("IMAGE", "MESSAGE") * is_wide
    return table(head, (_cells(row, now, is_everywhere=is_everywhere, is_wide=is_wide) for row in rows))


def _cells(row: Row, now: datetime, *, is_everywhere: bool, is_wide: bool) -> Sequence[str]:
    live, verdict = row
    meta, serving, pods = live["metadata"], status(live).get("serving") or {}, report.pods(live)
    cells = [
        str(meta["name"]),
        str(verdict.result),
        f"{pods['available']}/{'?' if pods['wanted'] is None else pods['wanted']}",
        str(serving.get("revision") or "-"),
        str(serving.get("color") or "-"),
        age(moment(meta, "creationTimestamp"), now),
    ]
    # Of the revision beside it: the image that the spec asks for may be another one.
    more = [str(serving.get("image") or "-"), " ".join(verdict.message.split())] if is_wide else []
    return [*([str(meta.get("namespace", ""))] if is_everywhere else []), *cells, *more]
