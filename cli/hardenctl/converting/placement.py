"""Where pods run: what of a pod's scheduling a HardenedService takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.converting.notes import Notes, items, mapping, without_empty
from hardenctl.converting.shape import known


def scheduling(template: Mapping[str, Any], notes: Notes, at: str) -> dict[str, Any]:
    """spec.scheduling. at: the pod, in the source."""
    pod, labels = mapping(template.get("spec")), mapping(mapping(template.get("metadata")).get("labels"))
    return without_empty({
        "nodeSelector": pod.get("nodeSelector"),
        "tolerations": _tolerations(items(pod.get("tolerations")), notes, f"{at}.tolerations"),
        "affinity": _affinity(mapping(pod.get("affinity")), labels, notes, f"{at}.affinity"),
        "spread": _spread(items(pod.get("topologySpreadConstraints")), notes, f"{at}.topologySpreadConstraints"),
        "priorityClassName": pod.get("priorityClassName"),
        "runtimeClassName": pod.get("runtimeClassName"),
    })  # fmt: skip


def _tolerations(given: Sequence[Mapping[str, Any]], notes: Notes, where: str) -> list[Any]:
    found = []
    for each in given:
        if not each.get("key"):
            notes.left_out(where, "a toleration of every taint: name its key")
            continue
        found.append(known(notes, where, "scheduling.tolerations", each))
    return found


def _affinity(given: Mapping[str, Any], labels: Mapping[str, Any], notes: Notes, where: str) -> dict[str, Any]:
    """Without what keeps the service's own pods apart: their labels are others now, and they are spread anyway."""
    found = known(notes, where, "scheduling.affinity", {key: value for key, value in given.items() if key != "podAntiAffinity"})
    apart = {}
    for name, terms in mapping(given.get("podAntiAffinity")).items():
        foreign = [each for each in items(terms) if not _is_of_own(mapping(each.get("podAffinityTerm")) or each, labels)]
        if len(foreign) != len(items(terms)):
            notes.changed(f"{where}.podAntiAffinity", "the service's own pods are spread over nodes and zones anyway: scheduling.spread")
        if foreign:
            apart[name] = foreign
    kept = known(notes, f"{where}.podAntiAffinity", "scheduling.affinity.podAntiAffinity", apart)
    return without_empty({**found, "podAntiAffinity": kept})


def _is_of_own(term: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    selector = mapping(term.get("labelSelector"))
    matching, listed = mapping(selector.get("matchLabels")), items(selector.get("matchExpressions"))
    return bool(matching or listed) and all(
        [
            *(labels.get(key) == value for key, value in matching.items()),
            *(each.get("operator") == "In" and labels.get(str(each.get("key"))) in (each.get("values") or ()) for each in listed),
        ]
    )


def _spread(given: Sequence[Mapping[str, Any]], notes: Notes, where: str) -> list[dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for each in given:
        if each.get("topologyKey") in found:
            notes.left_out(f"{where}[{each.get('topologyKey')}]", "it is spread over this topology already")
            continue
        found[each.get("topologyKey")] = without_empty({key: each.get(key) for key in ("topologyKey", "maxSkew", "whenUnsatisfiable")})
    return list(found.values())
