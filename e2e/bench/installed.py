"""What installing the CLI brings along: the packages that it needs, by their metadata, as they are installed here."""

from __future__ import annotations

from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement

from e2e.rig import ROOT

#: What no user of the CLI should have to install.
UNWANTED = frozenset({"kopf", "pytest", "hypothesis", "prometheus-client"})


def packages(name: str = "hardened") -> dict[str, int]:
    """The name of every package that this one needs, without extras, itself included; with its size in bytes, byte code left out."""
    found: dict[str, int] = {}
    waiting = [name]
    while waiting:
        package = distribution(waiting.pop())
        key = package.metadata["Name"].lower()
        if key not in found:
            found[key] = _size(package)
            needs = map(Requirement, package.requires or ())
            waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    found[name] += sum(file.stat().st_size for folder in ("operator/hardened", "cli/hardenctl") for file in (ROOT / folder).rglob("*.py"))
    return found


def _size(package: Distribution) -> int:
    files = [package.locate_file(file) for file in package.files or () if file.suffix != ".pyc"]
    return sum(file.stat().st_size for file in files if file.is_file())  # type: ignore[attr-defined]
