"""A service that was checked, and what was found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hardenctl.checking.around import Seen, read
from hardenctl.cluster.api_cluster import Cluster
from hardenctl.deploying.submission import Submission
from hardenctl.files.manifest_file import locate
from hardenctl.files.yaml_tree import Position
from hardened.api.parse import HardenedService, parse
from hardened.core.hardening.catalog import CHECKS, findings
from hardened.core.hardening.check import Finding, Severity, Subject
from hardened.errors import InvalidSpec

PAGE = "docs/checks.md"
_LIVE = tuple(each for each in CHECKS if each.is_live)
_RANK: Mapping[Severity, int] = {"warn": 0, "error": 1}


@dataclass(frozen=True)
class Target:
    """A service that is to be checked."""

    svc: HardenedService
    """As it was parsed."""
    submission: Submission | None = None
    """What it comes from; None for one of the cluster."""


@dataclass(frozen=True)
class Judged:
    """A service, and what was found."""

    target: Target
    """Which one."""
    found: tuple[Finding, ...] = ()
    """In the order of the checks."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """The checks that could not be made, by id, and why."""

    @property
    def name(self) -> str:
        """namespace/name."""
        return f"{self.target.svc.namespace}/{self.target.svc.name}"

    @property
    def source(self) -> str:
        """The file, "" for none."""
        document = self.target.submission and self.target.submission.document
        return document.source if document else ""

    def place(self, finding: Finding) -> Position | None:
        """Where the field of a finding stands, or the nearest thing around it; None without a file."""
        document = self.target.submission and self.target.submission.document
        return locate(document.root, finding.gap.path) if document else None

    def where(self, finding: Finding) -> str:
        """The same as text. Example: "shop.yaml:12"."""
        place = self.place(finding)
        return f"{self.source}:{place.line}" if place else ""

    def worst(self) -> Severity | None:
        """Of all that was found; None for nothing."""
        return max((each.check.severity for each in self.found), key=_RANK.__getitem__, default=None)


def reaches(severity: Severity | None, bound: Severity) -> bool:
    """Whether it is as bad as the bound. Examples: ("error", "warn") -> True; (None, "warn") -> False."""
    return severity is not None and _RANK[severity] >= _RANK[bound]


def link(finding: Finding) -> str:
    """The section of the page on checks."""
    return f"{PAGE}#{finding.check.id.lower()}"


def of_submission(each: Submission) -> Target:
    """A service of a file. Raises InvalidSpec."""
    body = {**each.body, "metadata": {**each.body["metadata"], "namespace": each.namespace}}
    svc = parse(body)
    # Whoever applies this file sets what is in it.
    sets_size = svc.spec.replicas is not None and each.document is not None
    return Target(replace(svc, size_manager=each.document.source) if sets_size and each.document else svc, each)


def judge(targets: Iterable[Target], cluster: Cluster | None) -> list[Judged]:
    """All of them. cluster: None to look at the fields alone. Raises ApiFailure."""
    whole = list(targets)
    return [_judged(each, [other.svc for other in whole], cluster) for each in whole]


def _judged(target: Target, together: Iterable[HardenedService], cluster: Cluster | None) -> Judged:
    svc = target.svc
    beside = {each.name: each for each in together if each.namespace == svc.namespace and each.name != svc.name}
    if cluster is None:
        return Judged(target, tuple(findings(Subject(svc, beside))), {each.id: "it asks about the cluster" for each in _LIVE})
    seen = read(cluster, svc, frozenset(beside))
    others = {**_parsed(seen.services, svc), **beside}
    return Judged(target, tuple(findings(Subject(svc, others, seen.around))), _skipped(seen))


def _parsed(services: Iterable[Mapping[str, Any]], svc: HardenedService) -> dict[str, HardenedService]:
    """Those that can be read: what is wrong with another service is not what was asked."""
    found = {}
    for live in services:
        try:
            other = parse(live)
        except InvalidSpec:
            continue
        if other.name != svc.name:
            found[other.name] = other
    return found


def _skipped(seen: Seen) -> dict[str, str]:
    missing = {each.id: seen.around.unknown(each.needs) for each in CHECKS if each.is_live}
    return {
        identity: "; ".join(seen.why.get(name, "you may not read it") for name in names) for identity, names in missing.items() if names
    }
