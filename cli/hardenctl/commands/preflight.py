"""`preflight`: what of a service is left open, or cannot work on this cluster, before somebody has to find out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hardenctl.cluster.session import Session
from hardenctl.output.console import Console, Mark
from hardenctl.output.outcome import Exit, ResultWord, usage
from hardenctl.output.program import PROG
from hardenctl.release import next_step

if TYPE_CHECKING:
    from hardenctl.checking.judged import Judged, Target

OUTPUTS = ("table", "json", "sarif", "junit")
EXAMPLES = (
    "preflight -f shop.yaml",
    "preflight -f shop.yaml --offline --fail-on warn   # the fields alone, without a cluster",
    "preflight shop -n shop                            # a service that runs",
    "preflight -f shop.yaml --offline -o sarif > preflight.sarif",
)
MORE = (
    "docs/checks.md explains each check. Exits 1 if a finding is as bad as --fail-on, 2 for a file that is not valid. Values of variables, "
    "files and arguments are never shown, and what is in Secrets is never read. What you may not read is not checked, and listed."
)


def run(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A service that runs.")] = None,
    files: Annotated[list[str] | None, typer.Option("--filename", "-f", metavar="FILE", help="File with services; - for stdin.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Check the fields of a file alone; ask no cluster.")] = False,
    fail_on: Annotated[str, typer.Option("--fail-on", metavar="error|warn", help="Exit 1 for findings as bad as this.")] = "error",
) -> Exit:
    """The list of checks is the operator's own."""
    bound = _bound(fail_on)
    if bool(name) == bool(files):
        raise usage("preflight needs a file or the name of a service, and not both", f"{PROG} preflight -f FILE")
    if offline and not files:
        raise usage("--offline needs a file: a service that runs is read from the cluster", f"{PROG} preflight -f FILE --offline")
    from hardenctl.checking.judged import judge, reaches

    judged = judge(_targets(session, name, files or (), offline), None if offline else session.cluster)
    is_bad = any(reaches(each.worst(), bound) for each in judged)
    _show(session.console, judged, bound, is_bad)
    if session.console.output in ("", "table"):
        _summarize(session.console, judged, offline)
    if files and not is_bad and not session.console.output:
        session.console.advise(next_step.deploying(files, "", session.flags.namespace, session.cluster_flags))
    return Exit.FAILED if is_bad else Exit.OK


def _bound(fail_on: str) -> Literal["error", "warn"]:
    if fail_on == "error":
        return "error"
    if fail_on == "warn":
        return "warn"
    raise usage(f"--fail-on {fail_on} is not a severity", "use error or warn")


def _targets(session: Session, name: str | None, files: Sequence[str], offline: bool) -> "list[Target]":
    from hardenctl.checking.judged import Target, of_submission

    if name:
        from hardenctl.release.lookup import find
        from hardened.api.parse import parse

        return [Target(parse(find(session, name)))]
    from hardenctl.deploying.submission import of_document
    from hardenctl.files.manifest_file import read

    documents = read(files)
    default = "default" if offline else session.namespace
    return [of_submission(of_document(document, session.flags.namespace, default)) for document in documents]


def _show(console: Console, judged: "Sequence[Judged]", bound: Literal["error", "warn"], is_bad: bool) -> None:
    from hardenctl.checking import reports

    has_found = any(each.found for each in judged)
    match console.output:
        case "json":
            result = ResultWord.FAILED if is_bad else ResultWord.WARNINGS if has_found else ResultWord.OK
            console.data(reports.data(judged, str(result)))
        case "sarif":
            console.print(reports.sarif(judged))
        case "junit":
            console.print(reports.junit(judged, bound))
        case "table":
            console.print(reports.as_table(judged))
        case _:
            for severity, text in reports.text(judged):
                word, color = ("Error", "31") if severity == "error" else ("Warning", "33")
                console.print(f"{console.colored(word, color, console.out)} {text}")


def _summarize(console: Console, judged: "Sequence[Judged]", offline: bool) -> None:
    for each in judged:
        errors = sum(found.check.severity == "error" for found in each.found)
        warnings = len(each.found) - errors
        mark = Mark.BAD if errors else Mark.WARNING if warnings else Mark.GOOD
        console.progress(f"{console.mark(mark, console.err)} {each.name}: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}")
        reasons: dict[str, list[str]] = {}
        for identity, why in () if offline else each.skipped.items():
            reasons.setdefault(why, []).append(identity)
        for why, identities in reasons.items():
            console.warn(f"{', '.join(identities)} not checked for {each.name}: {why}")


def _counted(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
