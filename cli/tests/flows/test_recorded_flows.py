"""What a service is told, in order: each change of its status, each Event, each answer to an action, and what `hardenctl status` says.

recorded/*.txt has them. Regenerate: PYTHONPATH=.:operator:cli:cli/tests .venv/bin/python cli/tests/flows/test_recorded_flows.py
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from memory_cluster import MemoryCluster
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, OperatorWorld, asks, create_released, release, service, today
from tests.shell.test_action_flows import MANUAL, names_wanted
from tests.shell.test_backup_flows import BACKED_UP
from tests.shell.test_rollback_flows import LONG, create_long
from typer.testing import CliRunner

from hardenctl.app import app
from hardened.shell.kinds import EVENT, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, Kind

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
Step = Callable[[OperatorWorld], Any]
#: What somebody does, by what it is.
Acts = dict[str, Step]

FOLDER = Path(__file__).parent / "recorded"
#: What stands in a status where there was something before.
GONE = "gone"
#: How long a reconcile takes is the machine's affair.
_UNSTEADY = ("hardened_reconcile_seconds", "hardened_backup_age_seconds")


class Recording:
    """Writes down what people are told of the service `web`. Silent until an act begins."""

    def __init__(self, world: OperatorWorld) -> None:
        self._world = world
        self._known: dict[str, dict[str, str]] = {}
        self._steps: set[str] = set()
        self._shown: list[str] = []
        self._has_begun = False
        self.lines: list[str] = []
        world.server.on_event.append(self._saw)
        world.events.on_event.append(self._told)

    def begin(self, title: str) -> None:
        """What follows comes of this act."""
        self._has_begun = True
        self.lines += ["", f"==== {title}", ""]

    def end(self) -> bool:
        """The act is over. Whether that is enough: never."""
        if self._has_begun:
            self._show()
        return False

    def _saw(self, event: str, kind: Kind, body: Body) -> None:
        if kind not in (HARDENED_SERVICE, HARDENED_SERVICE_ACTION) or event == "DELETED":
            return
        name = body["metadata"]["name"]
        key = "status" if kind == HARDENED_SERVICE else f"action {name}"
        before, after = self._known.get(key, {}), dict(_leaves(body.get("status") or {}))
        self._known[key] = after
        changes = [*_changes(before, after)]
        if changes:
            self._write(key, *changes)
            self._show_step(after.get("release.step", ""))

    def _told(self, event: str, kind: Kind, body: Body) -> None:
        if kind == EVENT:
            again = f" (time {body['count']})" if body["count"] > 1 else ""
            self._write(f"Event {body['type']} {body['reason']}: {body['message']}{again}")

    def _write(self, head: str, *more: str) -> None:
        if self._has_begun:
            moment = f"{today():%H:%M:%S.%f}"[:10]
            self.lines += [_short(f"{moment}  {head}"), *(_short(f"            {line}") for line in more)]

    def _show_step(self, step: str) -> None:
        """Once in each step, of whichever release."""
        if self._has_begun and step and step not in self._steps:
            self._steps.add(step)
            self._show()

    def _show(self) -> None:
        shown = CliRunner().invoke(app, ["status", "web", "-n", "shop"], prog_name="hardenctl")
        lines = [*shown.output.splitlines(), f"(exit code {shown.exit_code})"]
        if lines != self._shown:
            self.lines += ["", "    $ hardenctl status web", *(f"    {line}".rstrip() for line in lines), ""]
        self._shown = lines

    def metrics(self) -> Iterator[str]:
        """All that is not zero, of the operator that ran last."""
        for family in self._world.operators[-1].metrics.registry.collect():
            for sample in family.samples:
                is_told = not sample.name.startswith(_UNSTEADY) and not sample.name.endswith(("_created", "_bucket"))
                if sample.value and is_told:
                    labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
                    yield f"{sample.name}{{{labels}}} {sample.value:g}" if labels else f"{sample.name} {sample.value:g}"


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """A line for each leaf that is another one, and one for each that is gone, or for the field where nothing of it is left."""
    yield from (f"{path}: {value}" for path, value in after.items() if before.get(path) != value)
    gone = [path for path in before if path not in after and not any(other.startswith((f"{path}.", f"{path}[")) for other in after)]
    left = {path.partition(".")[0] for path in after}
    fields = {path: path.partition(".")[0] for path in gone}
    yield from dict.fromkeys(f"{path if field in left else field}: {GONE}" for path, field in fields.items())


def _leaves(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each value of a status by its path: the conditions first, in their order, and the rest by the names of the fields."""
    said: dict[str, str] = {}
    for condition in status.get("conditions") or ():
        kind, message = condition["type"], condition["message"]
        first = said.setdefault(message, kind)
        rest = {key: value for key, value in condition.items() if key not in ("type", "status", "reason", "message", "lastTransitionTime")}
        is_of_this = rest == {"observedGeneration": status["observedGeneration"]}
        text = f"{condition['status']} {condition['reason']}, since {condition['lastTransitionTime']}"
        yield kind, f"{text}{'' if is_of_this else rest}: {message if first == kind else f'as {first}'}"
    for name in sorted(status.keys() - {"conditions"}):
        yield from _paths(name, status[name])


def _paths(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name in sorted(value):
            yield from _paths(f"{path}.{name}", value[name])
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            name = next((each[key] for key in ("name", "revision") if key in each), number) if isinstance(each, Mapping) else number
            yield from _paths(f"{path}[{name}]", each)
    else:
        yield path, value if isinstance(value, str) and value and not value.isnumeric() else json.dumps(value)


def _short(line: str) -> str:
    """All is of one day."""
    return line.replace(f"{today():%Y-%m-%d}T", "")


def checked(*, before: bool = True, after: bool = True) -> Body:
    """Checks by request and by command. before, after: whether those before, and those after the cutover, pass."""
    told = {True: ["true"], False: ["false"]}
    health = {"name": "health", "http": {"path": "/healthz", "count": 3}}
    smoke = {"name": "smoke", "job": {"command": told[before], "deadline": "5s"}}
    orders = {"name": "orders", "job": {"command": told[after], "deadline": "5s"}}
    return {"verify": {"beforeCutover": [health, smoke], "afterCutover": {"window": "5s", "checks": [orders]}}}


def in_place(strategy: str) -> Acts:
    """A good version, and one that fails once it is led to."""
    spec = {"release": {"strategy": strategy, "progressDeadline": "10s"}}
    return {
        "a team makes the service": lambda world: world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **spec})),
        "a new version": release("web:2", **spec),
        "a version whose pods fail under traffic": release("doomed:1", **spec),
    }


def migrating() -> Body:
    """A migration, and how it is undone."""
    migrate = {"command": ["true"], "deadline": "10s", "undo": {"command": ["true"]}}
    return {"release": {**RELEASED["release"], "migrate": migrate}}


_UNCHECKED = {"window": "2s", "checks": None}
_ENDLESS = {"window": "1s", "checks": [{"name": "orders", "job": {"command": ["true"]}}]}
_WATCHED = {"verify": {"afterCutover": {"window": "10m"}}}
_PATIENT = {"release": {**RELEASED["release"], "progressDeadline": "10m"}}
_MADE: Acts = {"a team makes the service": create_released}
_KEPT: Acts = {"a team makes the service": create_long}

#: By the name of the file. Of each but the first, the first act is not recorded.
FLOWS: dict[str, Acts] = {
    "first-release": _MADE,
    "blue-green": {
        **_MADE,
        "a new version, with checks, that a person is to promote": release("web:2", **MANUAL, **checked()),
        "somebody promotes it": names_wanted("Promote", "go"),
    },
    "check-fails-before-cutover": {**_MADE, "a new version whose check fails": release("web:2", **checked(before=False))},
    "check-fails-after-cutover": {**_MADE, "a new version whose check fails under traffic": release("web:2", **checked(after=False))},
    "rollback-by-hand": {
        **_KEPT,
        "a new version": release("web:2", **LONG),
        "somebody goes back to the one before": asks("Rollback", "back"),
    },
    "abort-and-retry": {
        **_MADE,
        "a new version that a person is to promote": release("web:2", **MANUAL),
        "somebody aborts it": names_wanted("Abort", "stop"),
        "somebody has it tried again": names_wanted("Retry", "again"),
    },
    "rolling-update": in_place("RollingUpdate"),
    "recreate": in_place("Recreate"),
    "migration": {
        **_MADE,
        "a new version with a migration, whose check fails": release("web:2", **migrating(), **checked(before=False)),
        "the next one, without checks": release("web:3", **migrating(), verify={"beforeCutover": None, "afterCutover": _UNCHECKED}),
    },
    "backup-first": {
        **_MADE,
        "a new version before which a backup is taken": release(
            "web:2", **BACKED_UP, release={**RELEASED["release"], "backupFirst": "nightly"}
        ),
    },
    "pause-and-resume": {
        **_MADE,
        "a new version that does not come up": release("dead:1", **_PATIENT),
        "somebody pauses its release": asks("Pause", "wait"),
        "a newer version meanwhile": release("web:2", **_PATIENT),
        "somebody resumes": asks("Resume", "go-on"),
    },
    "spec-taken-back": {
        **_MADE,
        "a new version that is watched for long": release("web:2", **_WATCHED),
        "the team applies the first spec again": release("web:1", files=service()["spec"]["files"]),
        "a spec that cannot be used": release("web:2", verify={"afterCutover": _ENDLESS}),
    },
    "newer-spec-waits": {
        **_MADE,
        "a new version that is watched for long": release("web:2", **_WATCHED),
        "a newer one meanwhile": release("web:3", verify={"afterCutover": {"window": "5s"}}),
    },
    "suspended": {
        **_MADE,
        "a new version, and suspend: true with it": release("web:2", suspend=True),
        "somebody asks for a rollback": asks("Rollback", "back"),
        "suspend: false": release("web:2", suspend=False),
    },
}


def recorded(name: str) -> str:
    """What this flow says now."""
    acts = FLOWS[name]

    async def play(patch: pytest.MonkeyPatch) -> list[str]:
        world = OperatorWorld()
        patch.setattr("hardenctl.output.moments.now", today)
        patch.setattr("hardenctl.cluster.api_cluster.connect", lambda **_: MemoryCluster(world.server))
        recording = Recording(world)

        def named(title: str, act: Step) -> Step:
            async def do(world: OperatorWorld) -> None:
                if act is not _first(acts) or len(acts) == 1:
                    recording.begin(title)
                await act(world)

            return do

        # Asked after each act, once the world is quiet.
        await world.play(*(named(title, act) for title, act in acts.items()), is_enough=recording.end)
        return [*recording.lines, "==== the metrics in the end", "", *recording.metrics()]

    with pytest.MonkeyPatch.context() as patch:
        lines = virtual_time.run(play(patch))
    return "\n".join(lines).strip() + "\n"


def _first(acts: Acts) -> Step:
    return next(iter(acts.values()))


@pytest.mark.parametrize("name", FLOWS)
def test_a_service_is_told_what_it_was_told(name: str) -> None:
    assert recorded(name) == (FOLDER / f"{name}.txt").read_text()


def test_every_recording_is_of_a_flow() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == FLOWS.keys()


#: A revision with an image beside it, in messages and in the tree. Examples: `b2a2bfdd8846 (web:2)`, `b2a2bfdd8846   web:2`.
_BESIDE = re.compile(r"\b([0-9a-f]{12})(?: \(|   )([a-z]+:\d+)\b")
#: As the head of a status has them, in two lines.
_HEAD = re.compile(r"^ *Revision +([0-9a-f]{12}) .*\n *Image +(\S+)$", re.MULTILINE)
#: A change of either, of one field of a status: serving, release, pending, or an entry of history.
_FIELD = re.compile(r"^ +((?:serving|release|pending|history\[\w+\]))\.(revision|image): (\S+)$")


def told_beside(text: str) -> Iterator[tuple[str, str]]:
    """Each revision that a recording names, with the image that it names beside it."""
    yield from _BESIDE.findall(text)
    yield from _HEAD.findall(text)
    for change in re.split(r"^\S+  status$", text, flags=re.MULTILINE)[1:]:
        found: dict[str, dict[str, str]] = {}
        for line in change.splitlines():
            if match := _FIELD.match(line):
                found.setdefault(match[1], {})[match[2]] = match[3]
        yield from ((pair["revision"], pair["image"]) for pair in found.values() if pair.keys() == {"revision", "image"})


def test_no_revision_stands_beside_the_image_of_another() -> None:
    images: dict[str, set[str]] = {}
    for path in FOLDER.iterdir():
        for revision, image in told_beside(path.read_text()):
            images.setdefault(revision, set()).add(image)
    assert {image for found in images.values() for image in found} >= {"web:1", "web:2", "web:3", "dead:1", "doomed:1"}
    assert {revision: found for revision, found in images.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    "text",
    [
        "VerifyAfter: revision b2a2bfdd8846 (web:3) is watched",
        "    ├─ b2a2bfdd8846   web:3   new",
        "    Revision       b2a2bfdd8846 (blue)\n    Image          web:3",
        "00:18:52.6  status\n            release.image: web:3\n            release.revision: b2a2bfdd8846",
    ],
)
def test_an_image_beside_a_revision_is_seen_wherever_it_stands(text: str) -> None:
    assert list(told_beside(text)) == [("b2a2bfdd8846", "web:3")]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for flow in FLOWS:
        (FOLDER / f"{flow}.txt").write_text(recorded(flow))
