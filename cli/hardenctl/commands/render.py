"""`render`: every child that the operator would make, without a cluster."""

from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.deploying.submission import of_document
from hardenctl.deploying.wanted import wanted
from hardenctl.files.manifest_file import read
from hardenctl.output.objects import print_objects, short_name
from hardenctl.output.outcome import Exit, usage
from hardenctl.output.program import PROG

OUTPUTS = ("yaml", "json", "name")
EXAMPLES = ("render -f shop.yaml", "render -f shop.yaml -o name", "render -f shop.yaml > children.yaml   # to review or scan")
MORE = (
    "For reading, scanning and comparing: ownerReferences have a placeholder for the uid that only the API server assigns, "
    "so the garbage collector would remove these objects if they were applied. Namespace: the file's, else -n, else default."
)

_NOTE = "# What the operator creates from {names}; to read, not to apply: the owner's uid is a placeholder."


def run(
    session: Session,
    files: Annotated[list[str] | None, typer.Option("--filename", "-f", metavar="FILE", help="File or folder; - for stdin.")] = None,
) -> Exit:
    """By the operator's own core."""
    if not files:
        raise usage("render needs a file", f"{PROG} render -f FILE")
    submissions = [of_document(document, session.flags.namespace, "default") for document in read(files, session.console.note)]
    children = [child for each in submissions for child in wanted(each.body, each.namespace)]
    head = _NOTE.format(names=", ".join(f"{each.namespace}/{each.name}" for each in submissions))
    print_objects(session.console, children, called=short_name, head=head)
    return Exit.OK
