"""Prints objects of the cluster, as -o asks: documents of YAML, a List of JSON, or their names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hardenctl.output.console import Console
from hardenctl.output.formats import as_yaml


def print_objects(
    console: Console, found: Sequence[Mapping[str, Any]], *, called: Callable[[Mapping[str, Any]], str], head: str = ""
) -> None:
    """All of them. called: what -o name prints of one; head: a comment before the YAML, "" for none."""
    match console.output:
        case "json":
            console.data({"apiVersion": "v1", "kind": "List", "items": list(found)})
        case "name":
            for each in found:
                console.print(called(each))
        case _:
            console.print("\n---\n".join([*([head] if head else []), *map(as_yaml, found)]))


def short_name(each: Mapping[str, Any]) -> str:
    """Example: "deployment/shop-blue"."""
    return f"{each['kind'].lower()}/{each['metadata']['name']}"


def full_name(each: Mapping[str, Any]) -> str:
    """With the group of the API, as kubectl prints it. Examples: "deployment.apps/shop-blue"; "configmap/shop"."""
    group, slash, _ = each["apiVersion"].partition("/")
    return f"{each['kind'].lower()}{f'.{group}' if slash else ''}/{each['metadata']['name']}"
