"""The objects of a file, as they find each other: by name, and by labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hardenctl.converting.notes import mapping
from hardened.core.model.manifest import Manifest

#: Labels and annotations of tools that own an object, which the result does not come from.
_OF_TOOLS = ("helm.sh/", "meta.helm.sh/", "argocd.argoproj.io/", "kustomize.", "kubectl.kubernetes.io/", "deployment.kubernetes.io/")
_MANAGED_BY = "app.kubernetes.io/managed-by"


@dataclass(frozen=True)
class Objects:
    """All of them, those of a List one by one."""

    found: tuple[Manifest, ...]
    """In the order of the file."""

    def of(self, *kinds: str) -> list[Manifest]:
        """Those of these kinds."""
        return [each for each in self.found if each.get("kind") in kinds]

    def named(self, kind: str, name: Any) -> Manifest | None:
        """The one of this name."""
        return next((each for each in self.of(kind) if name_of(each) == name), None)

    def selecting(self, kind: str, labels: Mapping[str, Any]) -> list[Manifest]:
        """The Services, or budgets, whose selector finds pods with these labels."""
        return [each for each in self.of(kind) if _selects(mapping(mapping(each.get("spec")).get("selector")), labels)]


def _selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    plain = mapping(selector["matchLabels"]) if "matchLabels" in selector else selector
    return bool(plain) and all(labels.get(key) == value for key, value in plain.items())


def objects_of(documents: Iterable[Any]) -> Objects:
    """Of the documents of a file; what is no object is left alone."""
    found: list[Manifest] = []
    for document in documents:
        if not isinstance(document, dict):
            continue
        many = document.get("items") if str(document.get("kind", "")).endswith("List") else None
        found += [each for each in (many if isinstance(many, list) else [document]) if isinstance(each, dict)]
    return Objects(tuple(found))


def name_of(each: Mapping[str, Any]) -> str:
    """metadata.name, "" for none."""
    return str(mapping(each.get("metadata")).get("name") or "")


def called(each: Mapping[str, Any]) -> str:
    """Kind and name. Example: "Deployment shop"."""
    return f"{each.get('kind', 'object')} {name_of(each)}".strip()


def own_labels(each: Mapping[str, Any]) -> dict[str, Any]:
    """Its labels without those of a tool that owns it."""
    labels = mapping(mapping(each.get("metadata")).get("labels"))
    return {key: value for key, value in labels.items() if not key.startswith(_OF_TOOLS) and key != _MANAGED_BY}
