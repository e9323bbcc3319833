"""Reads HardenedServices from files, and says of each wrong field where it stands and how to mend it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hardenctl.files.sources import Source, sources
from hardenctl.files.yaml_tree import BadYaml, Node, Position, documents
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardened.api import names
from hardened.errors import FieldError, InvalidSpec

#: What the server adds to an object that it shows: left out, so that the output of `kubectl get -o yaml` can be deployed.
_SERVERS_OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp")
#: What a file may say under `metadata`.
METADATA = ("name", "namespace", "labels", "annotations", "ownerReferences", "finalizers")
_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_SHOWN = 50
_LONGEST_KEY = 100


@dataclass(frozen=True)
class WrongField:
    """One wrong field of one file."""

    source: str
    """The file, as it was named."""
    place: Position
    """Where in the file."""
    path: str
    """As kubectl prints it, "" for a document as a whole."""
    message: str
    """What is wrong, and how to mend it."""

    def __str__(self) -> str:
        field = f"{self.path}: " if self.path else ""
        return f"{self.source}:{self.place.line}:{self.place.column}: {field}{self.message}"


class InvalidManifests(CommandEnd):
    """Some fields are wrong: `wrong` has all of them, in the order of the files."""

    def __init__(self, wrong: Sequence[WrongField]) -> None:
        self.wrong = tuple(wrong)
        shown = [str(w) for w in self.wrong[:_SHOWN]]
        more = [f"… and {len(self.wrong) - _SHOWN} more"] if len(self.wrong) > _SHOWN else []
        super().__init__("\n".join(shown + more), result=ResultWord.INVALID, code=Exit.USAGE, hint="nothing was changed")


@dataclass(frozen=True)
class Document:
    """A valid HardenedService, as it is to be sent: without what only the server may say."""

    source: str
    """The file, as it was named."""
    root: Node
    """The document as it is written."""
    body: dict[str, Any]
    """What is to be sent."""

    @property
    def name(self) -> str:
        """metadata.name."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """metadata.namespace, "" if the file leaves it open."""
        return str(self.body["metadata"].get("namespace", ""))

    def wrong(self, errors: Iterable[FieldError]) -> InvalidManifests:
        """What somebody else found wrong with it, by place."""
        return InvalidManifests(_by_place(self.source, self.root, errors))


def read(paths: Sequence[str], note: Callable[[str], None] = lambda _: None) -> list[Document]:
    """Every HardenedService of these files, folders and Lists; "-" is standard input. note: is told of each object that is passed over.

    Raises CommandEnd where a file cannot be read, or none has one; InvalidManifests with every wrong field of all of them.
    """
    found: list[Document] = []
    wrong: list[WrongField] = []
    others: list[WrongField] = []
    for source in sources(paths):
        items = list(_read_one(source))
        found += [item for item in items if isinstance(item, Document)]
        wrong += [item for item in items if isinstance(item, WrongField)]
        others += [item.why for item in items if isinstance(item, _Other)]
        if not items and not source.is_of_folder:
            raise usage(f"{source.name} is empty: there is no {names.KIND} in it")
    wrong += _twice(found)
    if wrong or not found:
        raise InvalidManifests(wrong or others) if wrong or others else usage(f"there is no {names.KIND} in {', '.join(paths)}")
    for other in others[:_SHOWN]:
        note(f"{other.source}:{other.place.line}: {other.message}")
    return found


@dataclass(frozen=True)
class _Other:
    """An object of another kind."""

    why: WrongField
    """What is to be told of it."""


def _read_one(source: Source) -> Iterator[Document | WrongField | _Other]:
    try:
        for root in (each for document in documents(source.text) for each in _items(document)):
            other = _other(root)
            wrong = [] if other else _by_place(source.name, root, _errors(root))
            if other:
                yield _Other(WrongField(source.name, locate(root, "kind"), "kind", other))
            elif wrong:
                yield from wrong
            else:
                yield Document(source.name, root, _to_send(root.plain()))
    except BadYaml as error:
        yield WrongField(source.name, error.place, "", error.message)


def _items(root: Node) -> Iterator[Node]:
    """What is in a List, as `kubectl get -o yaml` prints several objects; else the document itself."""
    fields = root.value if isinstance(root.value, dict) else {}
    kind, items = fields.get("kind"), fields.get("items")
    if kind is None or kind.value not in ("List", f"{names.KIND}List") or items is None or not isinstance(items.value, list):
        yield root
        return
    yield from items.value


def _other(root: Node) -> str:
    """What an object of somebody else's kind is told by; "" for one that is, or was meant to be, a HardenedService."""
    fields = root.value if isinstance(root.value, dict) else {}
    kind, version = (_scalar_of(fields.get(name)) for name in ("kind", "apiVersion"))
    if not kind or kind == names.KIND:
        return ""
    called = f"{kind} {_scalar_of((_fields_of(fields.get('metadata'))).get('name'))}".strip()
    if version.partition("/")[0] == names.GROUP and kind != names.ACTION_KIND:
        return ""
    return f"{called} is no {names.KIND}: apply it with kubectl"


def _scalar_of(node: Node | None) -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""


def _fields_of(node: Node | None) -> Mapping[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _errors(root: Node) -> list[FieldError]:
    body = root.plain()
    if not isinstance(body, dict):
        return [FieldError("", f"a {names.KIND} must be a mapping that begins with apiVersion: {names.API_VERSION}")]
    kind_errors = list(_kind_errors(body))
    if kind_errors:
        return kind_errors
    from hardened.api.parse import parse_spec

    unknown = [FieldError(key, f"unknown field{_meant(key, _TOP, at)}") for at, key in enumerate(body) if key not in _TOP]
    found = [*unknown, *_metadata_errors(body.get("metadata"))]
    if "spec" not in body:
        return [*found, FieldError("spec", "Required value; the shortest is `spec: {image: registry.example/name:1.0}`")]
    try:
        parse_spec(body["spec"])
    except InvalidSpec as error:
        found += [_with_guess(wrong) for wrong in error.errors[:_SHOWN]] + list(error.errors[_SHOWN:])
    return found


def _kind_errors(body: Mapping[str, Any]) -> Iterator[FieldError]:
    kind, version = body.get("kind"), body.get("apiVersion")
    name = (body.get("metadata") or {}).get("name", "") if isinstance(body.get("metadata"), dict) else ""
    if kind is None:
        yield FieldError("kind", f"Required value: {names.KIND}")
    elif kind != names.KIND:
        called = f"{kind} {name}".strip()
        yield FieldError("kind", f"{called} is no {names.KIND}{_meant(str(kind), (names.KIND,))}")
        return
    if version is None:
        yield FieldError("apiVersion", f"Required value: {names.API_VERSION}")
    elif version != names.API_VERSION:
        yield FieldError("apiVersion", f"{version} is not known here; write {names.API_VERSION}")


def _metadata_errors(meta: Any) -> Iterator[FieldError]:
    if not isinstance(meta, dict):
        yield FieldError("metadata", "Required value: metadata.name")
        return
    for at, key in enumerate(meta):
        if key not in METADATA and key not in _SERVERS_OWN:
            yield FieldError(f"metadata.{key}", f"unknown field{_meant(key, METADATA, at)}")
    error = name_error(meta.get("name"))
    if error:
        yield FieldError("metadata.name", error)
    if not isinstance(meta.get("namespace", ""), str):
        yield FieldError("metadata.namespace", "must be a string; quote it where YAML would read something else")
    for key in ("labels", "annotations"):
        given = meta.get(key) or {}
        if not isinstance(given, dict):
            yield FieldError(f"metadata.{key}", "must be an object")
            continue
        for label, value in given.items():
            if not isinstance(value, str):
                yield FieldError(f"metadata.{key}.{label}", "must be a string; quote it where YAML would read something else")


def name_error(name: Any) -> str:
    """What is wrong with a service's name, or "". Its children carry it, and a Service's name is the strictest of them."""
    if name is None or name == "":
        return "Required value: the name of the service"
    if not isinstance(name, str):
        return "must be a string; quote it where YAML would read something else"
    if len(name) > names.NAME_LIMIT:
        return f"at most {names.NAME_LIMIT} characters, so that the names of its children fit; this has {len(name)}"
    if not _NAME.fullmatch(name):
        return "must begin with a lower case letter, and have lower case letters, digits and - only: it becomes a Service's name"
    return ""


def _to_send(body: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in body["metadata"].items() if key not in _SERVERS_OWN}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": meta, "spec": body["spec"]}


def _twice(found: Sequence[Document]) -> Iterator[WrongField]:
    seen: dict[tuple[str, str], Document] = {}
    for document in found:
        first = seen.setdefault((document.namespace, document.name), document)
        if first is not document:
            message = f"{document.name} is here twice; it was first in {first.source}:{first.root.place.line}"
            yield WrongField(document.source, locate(document.root, "metadata.name"), "metadata.name", message)


def _by_place(source: str, root: Node, errors: Iterable[FieldError]) -> list[WrongField]:
    found = [WrongField(source, locate(root, error.path), error.path, error.message) for error in errors]
    return sorted(found, key=lambda wrong: (wrong.place.line, wrong.place.column))


def locate(root: Node, path: str) -> Position:
    """Where the field of a path stands: its key, or the nearest thing around it that is there.

    Keys of maps may have dots in them: the longest key that the path goes on with is taken.
    """
    node, place, rest = root, root.place, path
    while rest:
        index = re.match(r"\[(\d+)\]", rest)
        if index and isinstance(node.value, list):
            if int(index[1]) >= len(node.value):
                break
            node, rest = node.value[int(index[1])], rest[index.end() :]
            place = node.place
            continue
        key = _next_key(node, rest)
        if key is None:
            break
        place, node = node.keys[key], node.value[key]
        rest = rest.lstrip(".[").removeprefix(key).removeprefix("]")
    return place


def _next_key(node: Node, rest: str) -> str | None:
    if not isinstance(node.value, dict):
        return None
    rest = rest.lstrip(".[")
    ends = [at for at, c in enumerate(rest) if c in ".[]"]
    return next((rest[:end] for end in (len(rest), *reversed(ends)) if rest[:end] in node.keys), None)


def _meant(key: str, known: Iterable[str], at: int = 0) -> str:
    """What was meant, if anything. at: how many came before it; of very many, or of a very long one, nobody wants to know."""
    if at > _SHOWN or len(key) > _LONGEST_KEY:
        return ""
    from difflib import get_close_matches

    close = get_close_matches(key, list(known), 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _with_guess(error: FieldError) -> FieldError:
    if error.message != "unknown field":
        return error
    from hardened.api.crd import root_schema

    parent, _, key = error.path.rpartition(".")
    known: Any = root_schema()
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", parent):
        known = known.get("items", {}) if part.startswith("[") else known.get("properties", {}).get(part, {})
    return FieldError(error.path, error.message + _meant(key, known.get("properties", {})))
