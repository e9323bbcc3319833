"""What `diff` and `history` print."""

from typing import Literal

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord


class ObjectDiff(TypedDict):
    """An object that would change."""

    action: str
    kind: str
    name: str
    diff: str
    """A unified diff of its YAML, without secrets."""


class ServiceDiff(TypedDict):
    """What a file would change of a service."""

    namespace: str
    name: str
    revision: str
    obstacle: str
    objects: list[ObjectDiff]


class FileDiff(TypedDict):
    """With -f."""

    result: Literal[ResultWord.DIFFERS, ResultWord.UNCHANGED]
    services: list[ServiceDiff]


#: Between two revisions. As a function, since `from` is a word of Python's.
RevisionDiff = TypedDict(
    "RevisionDiff",
    {
        "result": Literal[ResultWord.DIFFERS, ResultWord.UNCHANGED],
        "namespace": str,
        "name": str,
        "from": str,
        "to": str,
        "diff": str,
    },
)


class Rejected(TypedDict):
    """Why a revision was rejected, or rolled back."""

    key: str
    reason: str
    message: str
    afterCutover: bool


class Revision(TypedDict):
    """A stored revision."""

    number: int
    """0 if unknown."""
    revision: str
    image: str
    createdAt: str
    promotion: int
    """0 if it was never promoted."""
    states: list[str]
    serves: bool
    stable: bool
    rejections: list[Rejected]
    missing: bool


class History(TypedDict):
    """The newest first."""

    result: ResultWord
    namespace: str
    name: str
    revisions: list[Revision]
    next: str
