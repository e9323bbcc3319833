"""Files and folders that are there whole or not at all, whoever is killed meanwhile."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def made_whole(path: Path) -> Iterator[Path]:
    """A path to make a file or a folder at: it becomes `path` when the block ends well, and is gone when it does not.

    One process at a time may make the same `path`. What one that was killed had left, or what a program that it had called goes on
    writing, is never taken for a part of this: each call has a folder of its own, and removes those of earlier ones.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield scratch / path.name
        (scratch / path.name).rename(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
