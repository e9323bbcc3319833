"""YAML as a tree that knows where each thing was written.

Built from the parser's events, not by PyYAML's composer: tags, duplicate keys and anchors are then seen as they were
written, and no nesting in a file can exhaust the stack.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from hardenctl.output.yaml_scalar import plain_scalar

#: Bounds on one document, aliases counted as often as they are used. The largest useful spec has some 10,000 nodes.
MOST_NODES = 100_000
DEEPEST = 64
#: The most documents of one file, empty ones counted.
MOST_DOCUMENTS = 10_000


@dataclass(frozen=True)
class Position:
    """Where something begins in a file."""

    line: int
    """From 1."""
    column: int
    """From 1."""


class BadYaml(Exception):
    """The text is not YAML, or not YAML that a manifest may use."""

    def __init__(self, message: str, place: Position) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


@dataclass
class Node:
    """One value, and where it stands."""

    value: Any
    """A scalar, a list of nodes, or a dict of nodes."""
    place: Position
    """Where it begins."""
    keys: dict[str, Position] = field(default_factory=dict)
    """Where the keys of a dict stand."""
    size: int = 1
    """Nodes within, aliases expanded."""
    text: str = ""
    """Of a scalar, as it is written."""

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def documents(text: str) -> Iterator[Node]:
    """The documents of a YAML text, empty ones left out. Raises BadYaml."""
    try:
        builder = _Builder()
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            done = builder.take(event)
            if done is not None and done.value is not None:
                yield done
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        raise BadYaml(f"not YAML: {error.problem or error.context}", place) from error
    except yaml.YAMLError as error:
        raise BadYaml(f"not YAML: {error}".splitlines()[0], Position(1, 1)) from error


class _Builder:
    """Takes events; gives a node at the end of each document."""

    def __init__(self) -> None:
        self.documents = 0
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}
        self.root: Node | None = None

    def take(self, event: Any) -> Node | None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > MOST_DOCUMENTS:
                    raise BadYaml(f"more than {MOST_DOCUMENTS:,} documents", _place(event))
                self.open, self.anchors, self.root = [], {}, None
            case yaml.DocumentEndEvent():
                return self.root
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.ScalarEvent():
                self._refuse_tag(event)
                self._add(Node(_scalar(event), _place(event), text=event.value), event.anchor)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self.open.pop()
                self._add(done.closed(), done.anchor)
        return None

    def _begin(self, event: Any) -> None:
        self._refuse_tag(event)
        if len(self.open) >= DEEPEST:
            raise BadYaml(f"nested more than {DEEPEST} levels deep", _place(event))
        is_map = isinstance(event, yaml.MappingStartEvent)
        self.open.append(_Open(Node({} if is_map else [], _place(event)), event.anchor))

    def _alias(self, event: Any) -> None:
        # An anchor is known once its value is complete, so that no value can contain itself.
        if event.anchor not in self.anchors:
            raise BadYaml(f"*{event.anchor} refers to no complete value before it", _place(event))
        self._add(self.anchors[event.anchor], None, _place(event))

    def _add(self, node: Node, anchor: str | None, place: Position | None = None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        self.open[-1].add(node, place or node.place)

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            raise BadYaml(f"the tag {event.tag.removeprefix('tag:yaml.org,2002:')} is not allowed: manifests are plain data", _place(event))


@dataclass
class _Open:
    """A mapping or sequence whose end has not come yet."""

    node: Node
    """What it holds so far."""
    anchor: str | None
    """The name that aliases call it by, None for none."""
    key: str | None = None
    """Of a mapping: the key whose value comes next."""
    merges: list[Node] = field(default_factory=list)
    """What << brings in."""

    def add(self, node: Node, place: Position) -> None:
        self.node.size += node.size
        if self.node.size > MOST_NODES:
            raise BadYaml(f"more than {MOST_NODES:,} values, aliases counted as often as they are used", place)
        if isinstance(self.node.value, list):
            self.node.value.append(node)
        elif self.key is None:
            self._take_key(node, place)
        elif self.key == "<<":
            self.merges += node.value if isinstance(node.value, list) else [node]
            self.key = None
        else:
            self.node.value[self.key], self.key = node, None

    def _take_key(self, node: Node, place: Position) -> None:
        if not isinstance(node.value, str):
            raise BadYaml(f"the key {_short(node.text) or 'here'} is not a string: quote it", place)
        if node.value in self.node.keys:
            raise BadYaml(f"the key {_short(node.value)} is here twice; it was first in line {self.node.keys[node.value].line}", place)
        self.key = node.value
        self.node.keys[node.value] = place

    def closed(self) -> Node:
        if isinstance(self.node.value, dict):
            self.node.keys.pop("<<", None)
            for source in self.merges:
                if not isinstance(source.value, dict):
                    raise BadYaml("<< needs a mapping", source.place)
                for key, value in source.value.items():
                    if key not in self.node.value:
                        self.node.value[key], self.node.keys[key] = value, source.keys[key]
        return self.node


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _place(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0] or event.style:
        return text
    try:
        return plain_scalar(text)
    except ValueError as error:
        raise BadYaml(f"{_short(text)} is {error}", _place(event)) from None
