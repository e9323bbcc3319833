"""The support bundle itself: files in a tar archive, and a manifest that says what they are, and what is not among them."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hardenctl.output.formats import as_yaml
from hardenctl.reporting.redaction import Redacted, redacted, redacted_text, secrets_of
from hardened.api.text import escaped

#: Bytes of one file, and of all together, before they are packed.
FILE_LIMIT = 4 * 1024 * 1024
TOTAL_LIMIT = 24 * 1024 * 1024
#: How many places of a file are named where something was hidden; their number is told in any case.
_PLACES = 200
_RULES = (
    "Secrets are never read",
    "values of variables and headers, what ConfigMaps and files hold, copies of objects in annotations, and what containers said at their "
    "end are hidden as a whole",
    "in all other texts passwords of URLs, tokens, private keys, what stands behind a telling name, and values of variables with one",
)


@dataclass(frozen=True)
class Missing:
    """What is not in the bundle."""

    what: str
    """Example: "Events"."""
    why: str
    """Example: "events is forbidden: …"."""

    def data(self) -> dict[str, str]:
        """As JSON has it."""
        return {"what": self.what, "why": self.why}


@dataclass
class Findings:
    """What was read of a service."""

    objects: dict[str, Any] = field(default_factory=dict)
    """By the path of the file, an object, or a list of objects."""
    logs: dict[str, Sequence[str]] = field(default_factory=dict)
    """By the path of the file, the lines."""
    missing: list[Missing] = field(default_factory=list)
    """What could not be read, and what there was too much of."""


@dataclass(frozen=True)
class Packed:
    """One file of the bundle."""

    path: str
    """In the archive, below its folder."""
    content: bytes
    """Without secrets."""
    hidden: tuple[str, ...]
    """See Redacted."""

    def data(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"path": self.path, "bytes": len(self.content), "redactions": len(self.hidden), "redacted": list(self.hidden[:_PLACES])}


@dataclass(frozen=True)
class Bundle:
    """What is packed."""

    files: tuple[Packed, ...]
    """The manifest, which is none of them, comes before them."""
    missing: tuple[Missing, ...]
    """What is not there."""


def bundle_of(found: Findings) -> Bundle:
    """Everything that was found, without secrets, as far as there is room for it; what there is none for is named."""
    known = secrets_of(list(found.objects.values()))
    contents = [
        *((path, _objects_file(each, known)) for path, each in found.objects.items()),
        *((path, _log_file(lines, known)) for path, lines in found.logs.items()),
    ]
    files, missing, total = [], list(found.missing), 0
    for path, each in contents:
        content = each.value.encode("utf-8", "replace")
        if len(content) > FILE_LIMIT or total + len(content) > TOTAL_LIMIT:
            limit = FILE_LIMIT if len(content) > FILE_LIMIT else TOTAL_LIMIT
            missing.append(
                Missing(path, f"it has {len(content)} bytes, and {limit} are the most{' of all files' * (limit == TOTAL_LIMIT)}")
            )
            continue
        total += len(content)
        files.append(Packed(path, content, each.hidden))
    return Bundle(tuple(files), tuple(missing))


def _objects_file(value: Any, known: frozenset[str]) -> Redacted:
    found = redacted(value, known)
    return Redacted(as_yaml(found.value) + "\n", found.hidden)


def _log_file(lines: Sequence[str], known: frozenset[str]) -> Redacted:
    found = redacted_text("\n".join(lines), known)
    return Redacted(escaped(found.value) + "\n" if lines else "", tuple(f"line {at}" for at in found.hidden))


def manifest(bundle: Bundle, about: Mapping[str, Any]) -> dict[str, Any]:
    """What says what is in the bundle and what is not. about: of which service, when, and with which versions."""
    return {
        **about,
        "secretsRead": False,
        "redaction": list(_RULES),
        "files": [each.data() for each in bundle.files],
        "missing": [each.data() for each in bundle.missing],
    }


def archive(bundle: Bundle, about: Mapping[str, Any], folder: str, at: datetime) -> bytes:
    """A tar.gz with one folder, the same bytes for the same bundle and moment. Nobody but its owner may read what is unpacked."""
    text = json.dumps(manifest(bundle, about), indent=2) + "\n"
    stream = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=stream, mode="wb", mtime=int(at.timestamp())) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, content in [("manifest.json", text.encode()), *((each.path, each.content) for each in bundle.files)]:
            entry = tarfile.TarInfo(f"{folder}/{path}")
            entry.size, entry.mtime, entry.mode = len(content), int(at.timestamp()), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
