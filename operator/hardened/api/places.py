"""Where in a container something can be mounted: not over what the programs of the image, or the kernel, have there."""

from collections.abc import Sequence
from typing import Final

from hardened.api.fields import Rule

#: Folders by which an image runs. A mount hides what is below it.
_PROGRAMS: Final = (
    "/bin", "/boot", "/lib", "/lib32", "/lib64", "/libx32", "/sbin",
    "/usr", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/sbin",
)  # fmt: skip
#: Of the kernel and the runtime, which refuse a mount there, or are hidden by it.
_KERNEL: Final = ("/dev", "/proc", "/sys")
#: But for this one: many programs need more of it than the 64 MiB that the runtime gives.
_SHARED_MEMORY: Final = "/dev/shm"
#: Files are mounted one by one, and /etc is where most of them go.
_NO_FILES: Final = (*_PROGRAMS, *_KERNEL)
_NO_VOLUMES: Final = (*_NO_FILES, "/etc")


def _is_free(path: str, system: Sequence[str]) -> bool:
    return path == _SHARED_MEMORY or not (path in system or path.startswith(tuple(f"{each}/" for each in _KERNEL)))


def _cel(path: str, system: Sequence[str]) -> str:
    # By comparison: a regular expression would cost the API server's budget ten times as much.
    below = " || ".join(f"{path}.startsWith('{each}/')" for each in _KERNEL)
    return f"({path} == '{_SHARED_MEMORY}' || !({path} in {list(system)} || {below}))"


_INSTEAD: Final = "mount a folder within it, or another one"
#: Of `mountPath` of a volume.
HIDES_NO_SYSTEM: Final = Rule(
    cel=_cel("self.mountPath", _NO_VOLUMES),
    holds=lambda m: _is_free(m.mount_path, _NO_VOLUMES),
    message=f"this is a system folder, and a volume would hide what the image has there: {_INSTEAD}",
    field=".mountPath",
)
WRITES_NO_SYSTEM: Final = Rule(
    cel=f"!has(self.writablePaths) || self.writablePaths.all(p, {_cel('p', _NO_VOLUMES)})",
    holds=lambda m: all(_is_free(each, _NO_VOLUMES) for each in m.writable_paths),
    message=f"one of them is a system folder, and what the image has there would be hidden: {_INSTEAD}",
    field=".writablePaths",
)
#: Of `mountPath` of files.
IS_NO_SYSTEM: Final = Rule(
    cel=_cel("self.mountPath", _NO_FILES),
    holds=lambda m: _is_free(m.mount_path, _NO_FILES),
    message="this is a system folder: put the files into /etc, or into a folder of their own",
    field=".mountPath",
)
