"""What `deploy` sends: from a file, or from an image and what is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hardenctl.cluster.paths import FIELD_MANAGER
from hardenctl.files.manifest_file import METADATA, Document, name_error
from hardenctl.output.outcome import usage
from hardened.api import names
from hardened.errors import InvalidSpec


@dataclass(frozen=True)
class Submission:
    """One object to apply."""

    namespace: str
    """Where it goes."""
    name: str
    """metadata.name."""
    body: dict[str, Any]
    """What this manager says of it, and all that is sent."""
    whole: Mapping[str, Any]
    """The object as it would then be."""
    document: Document | None = None
    """Its file; None where it was made from flags."""


def of_document(document: Document, flag: str, context_namespace: str) -> Submission:
    """flag: the --namespace that was given, "" if none; it must not contradict the file."""
    if flag and document.namespace and flag != document.namespace:
        raise usage(f"{document.source}: {document.name} is for namespace {document.namespace}, but --namespace says {flag}")
    namespace = flag or document.namespace or context_namespace
    body = {**document.body, "metadata": {**document.body["metadata"], "namespace": namespace}}
    return Submission(namespace, document.name, body, body, document)


def of_image(
    namespace: str, name: str, image: str, live: Mapping[str, Any] | None, port: int | None = None, replicas: int | None = None
) -> Submission:
    """A release of an image: everything else stays as it is. live: the service as it is, None to make it.

    Raises CommandEnd (usage) where a flag's value cannot be.
    """
    wrong = name_error(name)
    if wrong and live is None:
        raise usage(f"NAME {name}: {wrong}")
    if live is not None and port is not None:
        raise usage(f"--port is only for a new service, and {namespace}/{name} exists", "change its ports in a file: deploy -f")
    spec: dict[str, Any] = {"image": image}
    if port is not None:
        spec["ports"] = [{"name": "http", "containerPort": port}]
    if replicas is not None:
        spec["replicas"] = replicas
    _check(spec)
    return _onto(namespace, name, spec, live)


def _onto(namespace: str, name: str, spec: dict[str, Any], live: Mapping[str, Any] | None) -> Submission:
    from hardened.core.observe.ownership import applied_fields

    meta: dict[str, Any] = {"name": name, "namespace": namespace}
    body: dict[str, Any] = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": meta, "spec": spec}
    if live is None:
        return Submission(namespace, name, body, body)
    # What a manager applied before and leaves out now is removed: our own earlier fields have to be said again. The uid
    # makes it an error, not a new and almost empty service, when the object was deleted just now.
    ours = applied_fields(live, FIELD_MANAGER) or {}
    said = {key: value for key, value in (ours.get("metadata") or {}).items() if key in METADATA}
    body["metadata"] = {**said, **meta, "uid": live["metadata"]["uid"]}
    body["spec"] = {**(ours.get("spec") or {}), **spec}
    return Submission(namespace, name, body, {**live, "spec": {**live["spec"], **spec}})


_FLAGS = {"spec.image": "--image", "spec.ports[0].containerPort": "--port", "spec.replicas": "--replicas"}


def _check(spec: dict[str, Any]) -> None:
    from hardened.api.parse import parse_spec

    try:
        parse_spec(spec)
    except InvalidSpec as error:
        said = [f"{_FLAGS.get(wrong.path, wrong.path)}: {wrong.message}" for wrong in error.errors]
        raise usage("\n".join(said), "nothing was changed") from error
