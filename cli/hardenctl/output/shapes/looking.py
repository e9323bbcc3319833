"""What the verbs print that look closer: `explain`, `events`, `logs`, `tree`."""

from typing import Literal

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord


class Link(TypedDict):
    """A link of the chain from the spec to its pods."""

    kind: str
    name: str
    state: str
    message: str


class Explained(TypedDict):
    """Of a service."""

    result: ResultWord
    namespace: str
    name: str
    reason: str
    cause: str
    meaning: str
    fix: str
    chain: list[Link]
    next: str


class ReasonPage(TypedDict):
    """Of a reason."""

    result: ResultWord
    reason: str
    meaning: str
    cause: str
    fix: str
    command: str


class Event(TypedDict):
    """Something that happened."""

    at: str
    who: str
    kind: str
    name: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    count: int
    revision: str


class Events(TypedDict):
    """The oldest first."""

    result: ResultWord
    namespace: str
    name: str
    events: list[Event]
    next: str


class PodLog(TypedDict):
    """Of one pod."""

    pod: str
    revision: str
    color: str
    container: str
    lines: list[str]
    problem: str
    """Why it has none, empty where it has."""


class Logs(TypedDict):
    """Pod by pod."""

    result: ResultWord
    namespace: str
    name: str
    logs: list[PodLog]


class Pod(TypedDict):
    """A pod of a colour."""

    name: str
    revision: str
    color: str
    state: str
    ready: bool
    restarts: int
    createdAt: str
    node: str


class Color(TypedDict):
    """A colour of a revision."""

    color: str
    ready: int
    wanted: int
    pods: list[Pod]


class Branch(TypedDict):
    """A revision of a tree."""

    revision: str
    image: str
    roles: list[str]
    colors: list[Color]


class Tree(TypedDict):
    """The newest revision first."""

    result: ResultWord
    namespace: str
    name: str
    revisions: list[Branch]
    next: str
