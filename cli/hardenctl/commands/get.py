"""`get`: the services of a namespace, or of all, a line each."""

from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit, usage
from hardenctl.release import listing
from hardenctl.release.listing import AllOption, ServicesArgument
from hardenctl.release.lookup import find

OUTPUTS = ("wide", "json", "yaml", "name")
EXAMPLES = (
    "get                                    # every service of the namespace",
    "get -A -o wide                         # of all namespaces, with images and messages",
    "get shop api                           # these",
    "get -l team=payments -o name",
)
MORE = (
    "RESULT is the word that `status` decides by, PODS how many are available of how many there are to be; REVISION, COLOR and IMAGE are "
    "what serves. Exits 0 whatever the services are like; `status` without NAME shows the same, and exits as the worst of them."
)


def run(
    session: Session,
    services: ServicesArgument = None,
    all_namespaces: AllOption = False,
    selector: Annotated[str, typer.Option("--selector", "-l", metavar="LABELS", help="Only those with these labels.")] = "",
) -> Exit:
    """Lists them."""
    if services and (all_namespaces or selector):
        raise usage(f"{'-A' if all_namespaces else '-l'} and NAME exclude each other")
    if services:
        listing.show_these(session, [find(session, name) for name in services])
    else:
        listing.show(session, is_everywhere=all_namespaces, selector=selector)
    return Exit.OK
