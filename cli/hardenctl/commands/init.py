"""`init`: a HardenedService out of what runs a service today."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hardenctl.cluster.session import Session
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.output.program import PROG
from hardened.api import names

if TYPE_CHECKING:
    from hardenctl.converting.notes import Converted, Kind

OUTPUTS = ("yaml", "json", "name")
EXAMPLES = (
    "init --from deployment.yaml > shop.yaml             # with its Service, autoscaler, budget and ConfigMaps",
    "init --from compose.yaml --to shop.yaml             # one service for each of the file",
    "init web --from compose.yaml --image registry.example/web:1.4",
    "init --from ingress.yaml --image api=registry.example/api:2.0",
    "init --from rollout.yaml -o json                    # with what was changed, guessed and left out, as data",
)
MORE = (
    "Reads a Deployment, an Argo Rollout, an ingress-nginx Ingress, or a compose file, and asks no cluster. stderr lists what was changed, "
    "what was guessed because the source does not say it, and what was left out, each with the field and the reason. The result is valid, "
    "and `preflight --offline` finds no error in it. Variables that hold passwords refer to a Secret instead; no value of them is shown. "
    "Exits 2 where something is missing, such as an image with a fixed version. -o json: `result`, `source`, `services`, and `changed`, "
    "`guessed` and `leftOut`, each with `service`, `field` and `message`."
)
_TITLES: Mapping["Kind", str] = {"changed": "changed", "guessed": "guessed", "leftOut": "left out"}


def run(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this service of the file.", show_default=False)] = None,
    source: Annotated[str, typer.Option("--from", metavar="FILE", help="What runs it today; - for stdin.")] = "",
    images: Annotated[
        list[str] | None, typer.Option("--image", metavar="[NAME=]IMAGE", help="The image of a service, with a tag or a digest.")
    ] = None,
    target: Annotated[str, typer.Option("--to", metavar="FILE", help="Write it there; a file that exists is kept.")] = "",
) -> Exit:
    """Reads, converts, and writes."""
    if not source:
        raise usage("init needs what runs the service today", f"{PROG} init --from FILE, or for a new one {PROG} deploy NAME --image IMAGE")
    if target and Path(target).exists():
        raise usage(f"{target} exists", "name another file, or delete it")
    kind, found = _converted(source, name or "", _images(images or (), name or ""))
    console = session.console
    if console.output == "json":
        text = ""
        console.data(_data(kind, found))
    elif console.output == "name":
        text = "\n".join(f"hardenedservice.hardened.dev/{each.name}" for each in found)
    else:
        text = _yaml(found)
    if target:
        _write(target, _yaml(found))
        console.progress(f"{target}: {', '.join(each.name for each in found)}")
    elif text:
        console.print(text)
    if not console.output:
        _tell(session, found)
    console.advise(f"{PROG} preflight -f {target or 'FILE'}")
    return Exit.OK


def _converted(source: str, name: str, images: Mapping[str, str]) -> "tuple[str, list[Converted]]":
    """Raises CommandEnd (usage)."""
    from hardenctl.converting.notes import CannotConvert
    from hardenctl.converting.sources import converted
    from hardenctl.files.sources import sources
    from hardenctl.files.yaml_tree import BadYaml, documents

    read: list[Any] = []
    for each in sources([source]):
        try:
            read += [document.plain() for document in documents(each.text)]
        except BadYaml as error:
            raise usage(f"{each.name}:{error.place.line}:{error.place.column}: {error.message}") from error
    try:
        kind, found = converted(read, images)
    except CannotConvert as error:
        raise usage(f"{source}: {error.message}", error.hint) from error
    chosen = [each for each in found if name in ("", each.name)]
    if not chosen:
        raise usage(f"there is no {name} in {source}", f"it has {', '.join(each.name for each in found)}")
    unknown = sorted(images.keys() - {"", *_named(found)})
    if unknown:
        raise usage(f"--image {unknown[0]}=…: there is no {unknown[0]} in {source}")
    if "" in images and len(found) > 1:
        raise usage(f"--image without a name, and {source} has several services", f"--image {found[0].name}={images['']}")
    return kind, chosen


def _named(found: "Sequence[Converted]") -> set[str]:
    helpers = (helper for each in found for key in ("initContainers", "sidecars") for helper in each.body["spec"].get(key) or ())
    return {each.name for each in found} | {str(each["name"]) for each in helpers}


def _images(given: Sequence[str], alone: str) -> dict[str, str]:
    """By name. alone: the only service that is meant, "" for all of them; an image without a name is its own."""
    found: dict[str, str] = {}
    for each in given:
        name, is_named, image = each.partition("=")
        if not (image if is_named else name):
            raise usage(f"--image {each} names no image", "--image NAME=IMAGE")
        found[name if is_named else alone] = image if is_named else name
    return found


def _yaml(found: "Sequence[Converted]") -> str:
    from hardenctl.output.formats import as_yaml

    return "\n---\n".join(as_yaml(each.body) for each in found)


def _write(target: str, text: str) -> None:
    try:
        with open(target, "x", encoding="utf-8") as stream:
            stream.write(text + "\n")
    except OSError as error:
        text = f"cannot write {target}: {error.strerror}"
        raise CommandEnd(text, result=ResultWord.ERROR, code=Exit.FAILED) from error


def _tell(session: Session, found: "Sequence[Converted]") -> None:
    console = session.console
    for each in found:
        console.progress(f"{each.name}, from {each.source}:")
        for kind, title in _TITLES.items():
            for note in each.notes.of(kind):
                console.progress(f"  {title}: {note}")
        if each.service:
            namespace = each.body["metadata"].get("namespace")
            where = f" -n {namespace}" if namespace else ""
            console.progress(f"  Service {each.service} is taken over without losing a request, once it is annotated:")
            console.progress(f"    kubectl annotate service {each.service}{where} {names.ADOPT_ANNOTATION}={each.name}")


def _data(kind: str, found: "Sequence[Converted]") -> dict[str, Any]:
    def told(which: "Kind") -> list[dict[str, str]]:
        return [{"service": each.name, "field": note.where, "message": note.text} for each in found for note in each.notes.of(which)]

    return {
        "result": str(ResultWord.OK),
        "source": kind,
        "services": [each.body for each in found],
        **{each: told(each) for each in _TITLES},
    }
