"""The one door to Kubernetes: raw dictionaries in and out, failures as the error tree.

Each method raises an `ApiFailure`, and nothing else, when a call does not do what it should: TryAgain, LookAgain, Vanished or Refused.
After a TryAgain of a write nobody knows whether the server took it.
"""

from collections.abc import AsyncIterator
from typing import Any, Final, Literal, NamedTuple, Protocol

from hardened.shell.kinds import Kind

Body = dict[str, Any]
Propagation = Literal["Background", "Foreground", "Orphan"]

#: The reason of a Refused for an object that is there and cannot be read. No server says so.
UNREADABLE: Final = "Unreadable"


class Listed(NamedTuple):
    """A complete list, or a page of one: its objects, and the resourceVersion of the state that it shows."""

    items: list[Body]
    version: str
    size: int = 0
    """Bytes, of a page."""


class ApiServer(Protocol):
    async def get(self, kind: Kind, namespace: str | None, name: str) -> Body:
        """The object as it is now; namespace None for a cluster-scoped kind. Raises Vanished when there is none."""
        ...

    async def list(self, kind: Kind, namespace: str | None, label_selector: str = "", *, chunk: int = 100) -> Listed:
        """All objects that match, in pages of `chunk`; namespace None: of all namespaces.

        Items carry apiVersion and kind, and no metadata.managedFields, which is half of most objects; pods, ReplicaSets and NetworkPolicies
        only what decisions are made from, and Refused where they are too large together (see kept). Starts over, once, when the server has
        forgotten where the list was (410).
        """
        ...

    async def pages(self, kind: Kind, namespace: str | None, label_selector: str = "") -> AsyncIterator[Listed]:
        """The same list, page by page, each with the version of the whole: of a list that is larger than the memory. TryAgain with status
        410 where it is to be begun anew."""
        yield await self.list(kind, namespace, label_selector)

    async def apply(self, kind: Kind, manifest: Body, *, force: bool) -> Body:
        """Server-side apply under the field manager `names.MANAGER`: creates, updates and gives up fields. The object as it is afterwards.

        metadata.uid and metadata.resourceVersion in the manifest are preconditions; LookAgain when they fail, and when another manager
        holds a field and `force` is False. Only the uid keeps an object that is gone by now from being made anew: the server ignores the
        resourceVersion then. Our own /scale counts as another manager. Refused when a field does not fit the schema.
        """
        ...

    async def try_out(self, kind: Kind, manifest: Body) -> None:
        """Asks whether an object that is not there could be made, and makes none: raises what its apply would raise."""
        ...

    async def apply_status(self, kind: Kind, manifest: Body) -> Body:
        """Server-side apply, with force, of the status subresource. Never creates: Vanished."""
        ...

    async def set_scale(self, kind: Kind, namespace: str, name: str, replicas: int, *, resource_version: str | None = None) -> None:
        """Sets spec.replicas through the /scale subresource, and takes no ownership of any other field.

        LookAgain when the object has another resourceVersion than this one by now.
        """
        ...

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        """Deletes this very object. LookAgain when uid or resource_version is another one by now; Vanished when it is gone already."""
        ...

    async def create(self, kind: Kind, manifest: Body) -> Body:
        """Makes a new object. LookAgain (reason AlreadyExists) when the name is taken."""
        ...

    async def update(self, kind: Kind, manifest: Body) -> Body:
        """Replaces the whole object; with metadata.resourceVersion a compare-and-swap: LookAgain when it is not the last one.

        Vanished when there is no such object; but a Lease is made then, unless the body carries a uid: LookAgain.
        """
        ...

    async def log(self, namespace: str, pod: str, container: str, *, is_previous: bool, lines: int, most: int) -> str:
        """The last lines of a container's log, at most so many bytes of them; is_previous: of the run before the present one.

        What is no UTF-8 is read as U+FFFD.
        """
        ...

    async def merge_patch(self, kind: Kind, namespace: str, name: str, patch: Body) -> Body:
        """A JSON merge patch (RFC 7386). The object as it is afterwards."""
        ...
