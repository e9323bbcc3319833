"""What was found, for people and for programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from hardenctl.checking.judged import Judged, link, reaches
from hardenctl.output.formats import as_json, printable, table
from hardenctl.output.program import PROG
from hardened import __version__
from hardened.core.hardening.catalog import CHECKS
from hardened.core.hardening.check import Finding, Severity

_LEVELS = {"error": "error", "warn": "warning"}


def text(judged: Sequence[Judged]) -> Iterator[tuple[Severity, str]]:
    """A paragraph for each finding: where and what, what to do, and where to read more."""
    for each in judged:
        for found in each.found:
            where = f", {each.where(found)}" if each.source else ""
            said = f"[{found.check.id}] (HardenedService {each.name} {found.gap.path}{where}) {found.gap.message}"
            yield found.check.severity, f"{printable(said)}\n  fix: {printable(found.fix)}\n  see: {link(found)}"


def as_table(judged: Sequence[Judged]) -> str:
    """A line for each finding."""
    rows = [
        (each.name, found.check.id, found.check.severity, found.gap.path, each.where(found), found.gap.message)
        for each in judged
        for found in each.found
    ]
    return table(("SERVICE", "CHECK", "SEVERITY", "FIELD", "FILE", "MESSAGE"), rows)


def data(judged: Sequence[Judged], result: str) -> dict[str, Any]:
    """For scripts."""
    return {
        "result": result,
        "services": [{"namespace": each.target.svc.namespace, "name": each.target.svc.name, "file": each.source} for each in judged],
        "findings": [_found(each, found) for each in judged for found in each.found],
        "skipped": [
            {"namespace": each.target.svc.namespace, "name": each.target.svc.name, "id": identity, "reason": why}
            for each in judged
            for identity, why in each.skipped.items()
        ],
    }


def _found(each: Judged, found: Finding) -> dict[str, Any]:
    place = each.place(found)
    return {
        "id": found.check.id,
        "severity": found.check.severity,
        "namespace": each.target.svc.namespace,
        "name": each.target.svc.name,
        "field": found.gap.path,
        "file": each.source,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "message": found.gap.message,
        "fix": found.fix,
        "link": link(found),
    }


def sarif(judged: Sequence[Judged]) -> str:
    """SARIF 2.1.0, as code hosts show it beside the lines of a change."""
    rules = [
        {
            "id": each.id,
            "shortDescription": {"text": each.title},
            "fullDescription": {"text": each.cause},
            "help": {"text": f"To pass it: {each.fix}."},
            "defaultConfiguration": {"level": _LEVELS[each.severity]},
        }
        for each in CHECKS
    ]
    index = {each.id: at for at, each in enumerate(CHECKS)}
    notes = [
        {"level": "note", "message": {"text": f"{each.name}: {identity} was not checked: {why}"}}
        for each in judged
        for identity, why in each.skipped.items()
    ]
    run = {
        "tool": {"driver": {"name": PROG, "version": __version__, "rules": rules}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": [_result(each, found, index[found.check.id]) for each in judged for found in each.found],
    }
    return as_json({"version": "2.1.0", "runs": [run]})


def _result(each: Judged, found: Finding, index: int) -> dict[str, Any]:
    place = each.place(found)
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": f"{each.name} {found.gap.path}"}]}
    if place:
        region = {"startLine": place.line, "startColumn": place.column}
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(each.source)}, "region": region}
    return {
        "ruleId": found.check.id,
        "ruleIndex": index,
        "level": _LEVELS[found.check.severity],
        "message": {"text": f"{each.name}: {found}"},
        "locations": [location],
    }


def _uri(source: str) -> str:
    from urllib.parse import quote

    return quote(source)


def junit(judged: Sequence[Judged], bound: Severity) -> str:
    """A test for each check of each service. bound: from which severity on a finding is a failure; below it is said, and passes."""
    from xml.etree import ElementTree

    root = ElementTree.Element("testsuites", name=f"{PROG} preflight")
    for each in judged:
        by_check: dict[str, list[Finding]] = {}
        for found in each.found:
            by_check.setdefault(found.check.id, []).append(found)
        failed = sum(reaches(found[0].check.severity, bound) for found in by_check.values())
        counts = {"tests": str(len(CHECKS)), "failures": str(failed), "errors": "0", "skipped": str(len(each.skipped))}
        suite = ElementTree.SubElement(root, "testsuite", {"name": each.name, **counts})
        for check in CHECKS:
            case = ElementTree.SubElement(suite, "testcase", {"classname": each.name, "name": f"{check.id} {check.title}"})
            if check.id in each.skipped:
                ElementTree.SubElement(case, "skipped", {"message": printable(each.skipped[check.id])})
            for found in by_check.get(check.id, ()):
                where = f" ({each.where(found)})" if each.source else ""
                said = printable(f"{found.gap.path}{where}: {found}")
                if reaches(check.severity, bound):
                    ElementTree.SubElement(case, "failure", {"type": check.severity, "message": said}).text = f"see {link(found)}"
                else:
                    ElementTree.SubElement(case, "system-out").text = said
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode")
