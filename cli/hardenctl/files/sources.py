"""What -f names: files, folders of files, standard input; read as text, within bounds."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hardenctl.output.outcome import usage

#: The API server takes no larger request body by default.
LARGEST = 3 * 1024 * 1024
#: The most files of one folder.
MOST_FILES = 1000
_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Source:
    """One text."""

    name: str
    """The file, as it was named."""
    text: str
    is_of_folder: bool = False
    """Nobody named it by itself."""


def sources(paths: Sequence[str]) -> Iterator[Source]:
    """The texts, in the order of the paths, and of their names in a folder. "-" is standard input.

    Raises CommandEnd (usage) for what is missing, too large, or no text.
    """
    for path in paths:
        if not path:
            raise usage("-f is empty", "name a file, a folder, or - for stdin")
        if path == "-":
            yield Source("stdin", _text("stdin", sys.stdin.buffer.read(LARGEST + 1)))
        elif Path(path).is_dir():
            yield from _of_folder(path)
        else:
            yield Source(path, _read(path))


def _of_folder(folder: str) -> Iterator[Source]:
    """As kubectl reads it: its own files that end as manifests do, not those of folders within."""
    try:
        found = sorted(entry.path for entry in os.scandir(folder) if entry.name.endswith(_ENDINGS) and not entry.is_dir())
    except OSError as error:
        raise usage(f"cannot read {folder}: {error.strerror}") from error
    if not found:
        raise usage(f"there is no file in {folder} that ends in {', '.join(_ENDINGS)}")
    if len(found) > MOST_FILES:
        raise usage(f"{folder} has more than {MOST_FILES:,} files: name those that are meant")
    for path in found:
        yield Source(path, _read(path, is_named=False), is_of_folder=True)


def _read(path: str, *, is_named: bool = True) -> str:
    try:
        with open(path, "rb", opener=None if is_named else _open_at_once) as stream:
            if not is_named and not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise usage(f"{path} is no regular file: name it by itself if it is meant")
            return _text(path, stream.read(LARGEST + 1))
    except OSError as error:
        raise usage(f"cannot read {path}: {error.strerror}") from error


def _open_at_once(path: str, flags: int) -> int:
    """A pipe that nobody writes to would hold up whoever opens it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _text(source: str, content: bytes) -> str:
    if len(content) > LARGEST:
        raise usage(f"{source} is larger than {LARGEST // 1024 // 1024} MiB, more than the API server takes")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise usage(f"{source} is not text in UTF-8, but in UTF-16: save it as UTF-8")
    if b"\0" in content:
        raise usage(f"{source} is not text in UTF-8: it has zero bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise usage(f"{source}:{line}: not text in UTF-8: byte 0x{content[error.start]:02x}") from error
