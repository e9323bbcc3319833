"""`state export`: services, each with what the operator has to know of its past."""

from collections.abc import Iterator
from typing import Any

from hardenctl.cluster.paths import ALL_SERVICES, children, services, with_query
from hardenctl.cluster.session import Session
from hardenctl.output.formats import as_yaml
from hardenctl.output.outcome import Exit
from hardenctl.output.program import PROG
from hardenctl.release.listing import AllOption
from hardened.api import names
from hardened.core.model.manifest import Manifest

OUTPUTS = ("yaml", "json", "name")
EXAMPLES = (
    "state export > state.yaml              # of the namespace",
    "state export -A > state.yaml           # of all namespaces",
    "state export -n shop -o name           # what is in it",
)
MORE = (
    "One List: each HardenedService without status, after the revision that was promoted last, and after those that were rejected, which "
    "stay so. With these, the operator of a new cluster brings up what served, where Git alone would have it release the newest spec, "
    "though that was rejected or rolled back. Keep it where the cluster is not, and as you keep the specs: values of variables are in it. "
    "Data is not: see `backup`. What could not be taken along is told on stderr."
)
_ALL_REVISIONS = "/apis/apps/v1/controllerrevisions"
_PAGE = 500


def run(session: Session, all_namespaces: AllOption = False) -> Exit:
    """Reads, and prints."""
    from hardenctl.release.saved_state import exported

    namespace = "" if all_namespaces else session.namespace
    live = list(_pages(session, services(namespace) if namespace else ALL_SERVICES))
    stored: dict[tuple[str, str], list[Manifest]] = {}
    for each in _pages(session, children("ControllerRevision", namespace) if namespace else _ALL_REVISIONS, names.CHILD_SELECTOR):
        meta = each["metadata"]
        service = str((meta.get("labels") or {}).get(names.SERVICE_LABEL, ""))
        stored.setdefault((str(meta.get("namespace") or namespace), service), []).append(each)
    console, items = session.console, list[Manifest]()
    for each in live:
        meta = each["metadata"]
        found = exported(each, stored.get((meta["namespace"], meta["name"]), ()))
        items += found.items
        for lack in found.lacks:
            console.warn(f"{meta['namespace']}/{meta['name']}: {lack}")
    _print(session, items)
    console.progress(f"services: {len(live)}, revisions: {len(items) - len(live)}")
    console.advise(f"{PROG} state import -f FILE --dry-run, in the new cluster")
    return Exit.OK


def _print(session: Session, items: list[Manifest]) -> None:
    console = session.console
    whole: dict[str, Any] = {"apiVersion": "v1", "kind": "List", "items": items}
    if console.output == "name":
        for each in items:
            group = each["apiVersion"].partition("/")[0]
            console.print(f"{each['kind'].lower()}.{group}/{each['metadata']['name']}")
    elif console.output == "json":
        console.data(whole)
    else:
        console.print(as_yaml(whole))


def _pages(session: Session, path: str, selector: str | None = None) -> Iterator[Manifest]:
    """Every object of a collection, a page at a time."""
    more: str | None = None
    while True:
        page = session.cluster.get(with_query(path, labelSelector=selector, limit=_PAGE, **{"continue": more}))
        yield from page.get("items") or ()
        more = (page.get("metadata") or {}).get("continue")
        if not more:
            return
