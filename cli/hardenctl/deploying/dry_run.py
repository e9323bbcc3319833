"""`deploy --dry-run`: what a release would change, printed."""

from collections.abc import Sequence
from typing import Any

from hardenctl.cluster.session import Session
from hardenctl.deploying.apply import apply_one
from hardenctl.deploying.preview import Forecast, preview
from hardenctl.deploying.submission import Submission
from hardenctl.output.formats import as_yaml, table
from hardenctl.output.outcome import Exit, ResultWord
from hardened.errors import Refused


def show(session: Session, submissions: Sequence[Submission], *, is_server: bool, force: bool) -> Exit:
    """is_server: each object goes through the server's own checks, and is compared with the children that are there."""
    console = session.console
    if console.output == "yaml" and not is_server:
        console.print("\n---\n".join(as_yaml(_manifest(each)) for each in submissions))
        return Exit.OK
    found = [(each, _preview(session, each, is_server, force)) for each in submissions]
    if console.output == "json":
        console.data({"result": str(ResultWord.OK), "services": [_data(each, seen) for each, seen in found]})
    elif console.output == "yaml":
        console.print("\n---\n".join(as_yaml(dict(c.manifest)) for _, seen in found for c in seen.changes if c.manifest) or "# nothing")
    elif console.output == "name":
        for _, seen in found:
            for change in seen.changes:
                console.print(f"{change.key.kind.lower()}/{change.key.name}")
    else:
        for each, seen in found:
            console.print(_text(each, seen, "server" if is_server else "client"))
    for each, seen in found:
        name = f"{each.namespace}/{each.name}: " if len(found) > 1 else ""
        for warning in filter(None, (*seen.gaps, seen.obstacle)):
            console.warn(f"{name}{warning}")
    return Exit.OK


def _manifest(each: Submission) -> dict[str, Any]:
    """What would be applied, to be kept in a file: without what holds for the object that is there now alone."""
    meta = {name: value for name, value in each.body["metadata"].items() if name != "uid"}
    return {"apiVersion": each.body["apiVersion"], "kind": each.body["kind"], "metadata": meta, "spec": each.body["spec"]}


def _preview(session: Session, each: Submission, is_server: bool, force: bool) -> Forecast:
    if not is_server:
        return preview(each.whole, each.namespace)
    live = apply_one(session, each, force=force, dry_run=True)
    try:
        return preview(live, each.namespace, session.cluster)
    except Refused as error:
        session.console.warn(f"compared with an empty namespace, because you lack rights: {error}")
        return preview(live, each.namespace)


def _text(each: Submission, seen: Forecast, where: str) -> str:
    head = f"{each.namespace}/{each.name}: revision {seen.revision} ({where} dry run)"
    if not seen.changes:
        return f"{head}\nnothing would change"
    rows = [(change.action, change.key.kind, change.key.name, change.field) for change in seen.changes]
    return f"{head}\n{table(('ACTION', 'KIND', 'NAME', 'FIELD'), rows)}"


def _data(each: Submission, seen: Forecast) -> dict[str, Any]:
    return {
        "namespace": each.namespace,
        "name": each.name,
        "revision": seen.revision,
        "obstacle": seen.obstacle,
        "gaps": list(seen.gaps),
        "changes": [
            {"action": c.action, "kind": c.key.kind, "name": c.key.name, "field": c.field, "manifest": dict(c.manifest)}
            for c in seen.changes
        ],
    }
