"""`state import`: exported services in a cluster that lacks them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit, ResultWord, usage
from hardenctl.output.program import PROG

if TYPE_CHECKING:
    from hardenctl.asking.importing import Imported
    from hardenctl.release.saved_state import NotSaved

OUTPUTS = ("json", "yaml", "name")
EXAMPLES = (
    "state import -f state.yaml --dry-run   # what would be made, and what is there already",
    "state import -f state.yaml",
    "state import -f - -o json < state.yaml",
)
MORE = (
    "Before Git is connected to the cluster: a service that is there already is left as it is, with its revisions, and is named. "
    "Namespaces and Secrets have to be there. Each service is made suspended, after its revisions, and goes on once all are made; where "
    "that is cut short, run it again, and `unsuspend` what `status` shows as suspended. The operator then brings up the stable revision; "
    "what was rejected stays so. With --dry-run the server checks all of it. Exits 0, also where everything is there; 1 where something "
    "could not be made, 2 where the file has nothing to import."
)


def run(
    session: Session,
    files: Annotated[list[str] | None, typer.Option("--filename", "-f", metavar="FILE", help="File or folder; - for stdin.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; list what would be made.")] = False,
) -> Exit:
    """Reads the file, and makes what is not there."""
    from hardenctl.asking.importing import imported
    from hardenctl.release.saved_state import saved

    if not files:
        raise usage("state import needs a file", f"{PROG} state import -f FILE; `{PROG} state export` prints one")
    services, passed = saved(_documents(files))
    if not services:
        why = "\n".join(f"{_called(each)}: {each.why}" for each in passed)
        raise usage(f"there is no HardenedService to import\n{why}".rstrip(), f"`{PROG} state export` prints a file that has some")
    found = imported(session, services, dry_run=dry_run)
    found.left[:0] = passed
    _tell(session, found, dry_run=dry_run)
    return Exit.FAILED if found.failed else Exit.OK


def _documents(files: list[str]) -> list[Any]:
    """Raises CommandEnd (usage)."""
    from hardenctl.files.sources import sources
    from hardenctl.files.yaml_tree import BadYaml, documents

    read: list[Any] = []
    for each in sources(files):
        try:
            read += [document.plain() for document in documents(each.text)]
        except BadYaml as error:
            raise usage(f"{each.name}:{error.place.line}:{error.place.column}: {error.message}") from error
    return read


def _tell(session: Session, found: "Imported", *, dry_run: bool) -> None:
    console = session.console
    result = ResultWord.FAILED if found.failed else ResultWord.OK if found.made else ResultWord.UNCHANGED
    made = [{"kind": each["kind"], "namespace": each["metadata"]["namespace"], "name": each["metadata"]["name"]} for each in found.made]
    if console.output in ("json", "yaml"):
        console.data({"result": str(result), "made": made, "left": list(map(_data, found.left)), "failed": list(map(_data, found.failed))})
        return
    for each in made:
        name = f"{each['kind'].lower()}/{each['name']}"
        console.print(name if console.output == "name" else f"{each['namespace']}  {name} {'would be made' if dry_run else 'made'}")
    for note in found.left:
        console.note(f"left out: {_called(note)}: {note.why}")
    for note in found.failed:
        console.complain(f"{_called(note)}: {note.why}")
    if found.made:
        console.advise(f"{PROG} state import -f FILE" if dry_run else f"{PROG} status -A -w{session.cluster_flags}")


def _called(each: "NotSaved") -> str:
    """Example: "ControllerRevision shop/api-adede321b372"."""
    return f"{each.kind or 'an object'} {each.namespace}/{each.name}".rstrip("/ ")


def _data(each: "NotSaved") -> dict[str, str]:
    return {"kind": each.kind, "namespace": each.namespace, "name": each.name, "why": each.why}
