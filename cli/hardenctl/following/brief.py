"""What is told of a service, without the hashes and images that were told before."""

import re
from collections.abc import Callable

from hardenctl.release.state import image_of, pending_of, pin_of, release_of, serving_of, stable_of
from hardenctl.release.verdict import Live

#: A revision, and the image that may stand behind it. Example: `revision b2a2bfdd8846 (registry.example/web:2)`.
_REVISION = re.compile(r"\brevision ([0-9a-f]{12})\b( \([^\s()]+\))?")


def brief(text: str, live: Live, is_known: Callable[[str], bool] = lambda _: True) -> str:
    """The same, with the revisions and images that are known called by what they are to the service.

    is_known: whether a hash, or an image, has been told. Examples: "revision b2a2bfdd8846 (web:2) starts" -> "the new revision starts";
    'cannot pull image "registry.example/shop:2"' -> "cannot pull its image".
    """

    def called(match: re.Match[str]) -> str:
        name = _role(live, match[1]) if is_known(match[1]) else ""
        return name or match[0]

    found = _REVISION.sub(called, text)
    for image in filter(None, dict.fromkeys((str((live.get("spec") or {}).get("image", "")), image_of(live, serving_of(live))))):
        if is_known(image):
            found = re.sub(rf'\bimage ("?){_whole(image)}\1', "its image", found)
            found = re.sub(_whole(image), image.rpartition("/")[2].replace("\\", r"\\"), found)
    return found


def _whole(image: str) -> str:
    """A pattern of this image, and not of one that begins or ends so."""
    return rf"(?<![\w./:-]){re.escape(image)}(?![\w/@-]|[.:]\w)"


def revisions_in(text: str) -> list[str]:
    """The hashes of the revisions that a text names."""
    return [match[1] for match in _REVISION.finditer(text)]


def _role(live: Live, revision: str) -> str:
    release, pin, pending = release_of(live), pin_of(live), pending_of(live)
    if release and release.revision == revision != stable_of(live):
        return "the rollback target" if release.is_rollback else "the new revision"
    if pending and pending.revision == revision:
        return "the wanted revision"
    if pin and pin.revision == revision:
        return "the new revision"
    return "the revision" if revision in (stable_of(live), serving_of(live)) else ""
