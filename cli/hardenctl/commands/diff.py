"""`diff`: what a file would change on the cluster, or how two revisions differ."""

from collections.abc import Sequence
from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.output.console import Console
from hardenctl.output.difference import difference
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.output.program import PROG
from hardenctl.release import next_step
from hardenctl.release.lookup import find
from hardenctl.release.revisions import Stored, named, stored_of
from hardenctl.release.state import serving_of

OUTPUTS = ("json", "yaml")
EXAMPLES = (
    "diff -f shop.yaml                      # what the file would change, children included",
    "diff shop 3                            # from revision 3 to the one that serves",
    "diff shop 3 4                          # from revision 3 to revision 4",
    "diff -f shop.yaml -o json              # as data",
)
MORE = (
    "With a file: the service by the server's dry run, and its children by the operator's own core, as far as the operator gets before it "
    "has to wait; nothing is written. Values of variables with a telling name, such as DB_PASSWORD, passwords in URLs and data of Secrets "
    "are hidden. Exits 0 when nothing differs, 1 when something does, and with more than 1 for an error, as kubectl diff. "
    "-o json of a file: `result` (unchanged or differs) and `services`: a list of `namespace`, `name`, `revision`, `obstacle` and "
    "`objects`, each with `action`, `kind`, `name` and `diff`. Of revisions: `result`, `namespace`, `name`, `from`, `to` and `diff`. "
    "Rights: with a file the cluster role edit, as a dry run needs the right to write; for revisions view."
)
#: 1 says that something differs.
LEAST_ERROR = 2
_COLORS = {"+": "32", "-": "31", "@": "36"}


def run(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The service; with a file, only this one.", show_default=False)] = None,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A revision: its number or name.", show_default=False)] = "",
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another one (default: the one that serves).", show_default=False)] = "",
    files: Annotated[list[str] | None, typer.Option("--filename", "-f", metavar="FILE", help="File with services; - for stdin.")] = None,
    force_conflicts: Annotated[bool, typer.Option("--force-conflicts", help="Take over fields that others manage.")] = False,
) -> Exit:
    """Of a file, or of revisions."""
    if files and old:
        raise usage("-f and revisions exclude each other", f"{PROG} diff -f FILE, or {PROG} diff NAME OLD NEW")
    if files:
        return _of_files(session, files, name or "", force=force_conflicts)
    if not name or not old:
        raise usage("diff needs a file, or a service and a revision", f"{PROG} diff -f FILE, or {PROG} diff NAME OLD NEW")
    if force_conflicts:
        raise usage("--force-conflicts needs a file")
    return _of_revisions(session, name, old, new)


def _of_files(session: Session, files: Sequence[str], name: str, *, force: bool) -> Exit:
    # Loads the models.
    from hardenctl.deploying.diff import diff_of
    from hardenctl.deploying.submission import of_document
    from hardenctl.files.manifest_file import read

    documents = [document for document in read(files) if name in ("", document.name)]
    if not documents:
        raise usage(f"there is no service {name} in {', '.join(files)}")
    submissions = [of_document(document, session.flags.namespace, session.namespace) for document in documents]
    console, found = session.console, [diff_of(session, each, force=force) for each in submissions]
    differs = any(each.objects for each in found)
    if console.output:
        console.data({"result": _result(differs), "services": [each.data() for each in found]})
        return _code(differs)
    for each in found:
        for one in each.objects:
            console.print(f"{one.action} {one.kind}/{one.name}")
            _show(console, one.diff)
        if each.obstacle:
            console.warn(f"{each.namespace}/{each.name}: {each.obstacle}")
    if differs:
        console.advise(next_step.deploying(files, name, session.flags.namespace, session.cluster_flags))
    return _code(differs)


def _of_revisions(session: Session, name: str, old: str, new: str) -> Exit:
    live, console = find(session, name), session.console
    kept = stored_of(session, live, console.warn)
    new = new or serving_of(live)
    if not new:
        raise usage("no revision serves", f"name both: {PROG} diff {name} OLD NEW")
    before, after = (_readable(named(kept, each)) for each in (old, new))
    text = difference(before.fields, after.fields, f"revision/{name}").replace("\n+++ wanted/", f"\n+++ {after.revision}/", 1)
    text = text.replace("--- live/", f"--- {before.revision}/", 1)
    if console.output:
        meta = live["metadata"]
        found = {"namespace": meta["namespace"], "name": meta["name"], "from": before.revision, "to": after.revision, "diff": text}
        console.data({"result": _result(bool(text)), **found})
    else:
        _show(console, text)
    return _code(bool(text))


def _readable(found: Stored) -> Stored:
    if found.fields:
        return found
    text = f"the fields of revision {found.revision} are not known: it was deleted, or you may not list controllerrevisions"
    raise CommandEnd(text, result=ResultWord.NOT_FOUND, hint="the cluster role view lets you read them")


def _show(console: Console, text: str) -> None:
    for line in text.splitlines():
        color = "" if line.startswith(("+++", "---")) else _COLORS.get(line[:1], "")
        console.print(console.colored(line, color, console.out) if color else line)


def _result(differs: bool) -> str:
    return str(ResultWord.DIFFERS if differs else ResultWord.UNCHANGED)


def _code(differs: bool) -> Exit:
    return Exit.FAILED if differs else Exit.OK
