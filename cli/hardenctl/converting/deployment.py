"""A Deployment, with the Service, the autoscaler, the budget and the ConfigMaps that are in the same file."""

from collections.abc import Mapping

from hardenctl.converting.notes import Converted, Notes, mapping
from hardenctl.converting.objects import Objects
from hardenctl.converting.workload import Workload, converted

KIND = "Deployment"


def services_of(objects: Objects, images: Mapping[str, str]) -> list[Converted]:
    """One service for each Deployment. Raises CannotConvert."""
    return [converted(workload_of(each), objects, images, Notes()) for each in objects.of(KIND)]


def workload_of(each: Mapping[str, object]) -> Workload:
    """What it runs."""
    return Workload(each, mapping(mapping(each.get("spec")).get("template")))
