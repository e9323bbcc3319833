"""Which manager owns which fields, and what an apply or an update does to that."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.memory import fields
from tests.memory.fields import Body, Path

_REPLICAS: Path = ("spec", "replicas")


class Manager(NamedTuple):
    """As the server tells managers apart: one name that applies and updates is two."""

    name: str
    operation: str  # Apply or Update
    subresource: str = ""


class Conflicts(Exception):
    def __init__(self, found: list[tuple[Path, Manager]]) -> None:
        self.found = found
        said = "; ".join(f"{path_text(path)} is owned by {manager.name!r} using {manager.operation}" for path, manager in found)
        super().__init__(f"Apply failed with {len(found)} conflict{'s' if len(found) > 1 else ''}: {said}")


@dataclass
class Owners:
    """Changed only by replacing it: `applied` and `updated` give the next one."""

    sets: dict[Manager, frozenset[Path]] = field(default_factory=dict)

    def applied(self, live: Body, wanted: Body, me: Manager, kind: str, *, force: bool) -> tuple[Body, "Owners"]:
        """The object and its owners after `me` applied `wanted`. Raises Conflicts: another owns a field whose value would change."""
        new = fields.leaves(wanted, kind)
        conflicts = [
            (path, manager)
            for path, value in new.items()
            if not isinstance(path[-1], fields.Item) and not isinstance(path[-1], fields.Member) and fields.find(live, path) != value
            for manager, owned in self.sets.items()
            if manager != me and path in owned
        ]
        if conflicts and not force:
            raise Conflicts(conflicts)
        lost = {path for path, _ in conflicts}
        others = {manager: owned - lost for manager, owned in self.sets.items() if manager != me}
        mine = frozenset(new)
        result = fields.copy(fields.merge(live, wanted, (), kind))
        self._give_up(result, self.sets.get(me, frozenset()) - new.keys(), {*new}.union(*others.values()))
        # In their old order: an apply that changes nothing changes no entry's place.
        sets = {manager: others.get(manager, mine) for manager in self.sets} | {me: mine}
        return result, Owners(_existing(sets, result, kind))

    def updated(self, live: Body, result: Body, me: Manager, kind: str) -> "Owners":
        """The owners after `me` changed `live` into `result`: what changed is its own now, what went is nobody's."""
        before, after = fields.leaves(live, kind), fields.leaves(result, kind)
        changed = {path for path, value in after.items() if path not in before or before[path] != value}
        if me.subresource == "scale" and after.get(_REPLICAS) == 0:
            # A quirk of the real one: the Scale that it compares leaves out a zero, and what is gone is nobody's.
            return Owners(_existing({manager: owned - {_REPLICAS} for manager, owned in self.sets.items()}, result, kind))
        sets = {manager: owned - changed for manager, owned in self.sets.items()}
        sets[me] = sets.get(me, frozenset()) | changed
        return Owners(_existing(sets, result, kind))

    @staticmethod
    def _give_up(result: Body, candidates: frozenset[Path], held: set[Path]) -> None:
        """Removes what `me` held and nobody holds now.

        An element of a list goes as a whole, even if another holds a field in it. Where nobody holds anything of a struct any more, the
        rest of it, such as defaults, goes with it: a probe does not stay behind without its handler.
        """
        for path in sorted(candidates, key=len):
            if path in held or (len(path) > 1 and isinstance(path[-2], fields.Item) and path[-1] in dict(path[-2].keys)):
                continue
            if isinstance(path[-1], str) and any(other[: len(path)] == path for other in held):
                continue  # an empty struct that has fields now
            while len(path) > 2 and isinstance(path[-2], str) and not any(other[: len(path) - 1] == path[:-1] for other in held):
                path = path[:-1]
            fields.remove(result, path, held)

    def managed_fields(self, api_version: str, now: str, before: "Owners", entries: list[Body]) -> list[Body]:
        """metadata.managedFields, `entries` being those of `before`; a manager whose fields are the same keeps its entry, and its time."""
        old = dict(zip(before.sets, entries, strict=True))
        return [
            old[manager] if before.sets.get(manager) == owned else _entry(manager, owned, api_version, now)
            for manager, owned in self.sets.items()
        ]


def _entry(manager: Manager, owned: frozenset[Path], api_version: str, now: str) -> Body:
    entry: Body = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.fields_v1(owned),
    }
    return entry | {"subresource": manager.subresource} if manager.subresource else entry


def path_text(path: Path) -> str:
    """A path as the server prints it: .spec.template.spec.containers[name="web"].image"""
    text = ""
    for step in path:
        match step:
            case fields.Item(keys=keys):
                text += "[" + ",".join(f'{key}="{value}"' for key, value in keys) + "]"
            case fields.Member(value=value):
                text += f'["{value}"]'
            case _:
                text += f".{step}"
    return text


def _existing(sets: dict[Manager, frozenset[Path]], body: Body, kind: str) -> dict[Manager, frozenset[Path]]:
    """The sets without fields that are gone, and without managers that own none."""
    there = fields.leaves(body, kind).keys()
    gone = {path for owned in sets.values() for path in owned - there if fields.find(body, path) is None}
    left = {manager: owned - gone for manager, owned in sets.items()}
    return {manager: owned for manager, owned in left.items() if owned}
