"""What a request to the API server is, in Kubernetes' own words, and the record of one that passed the proxy. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

WRITE_VERBS = frozenset({"create", "update", "patch", "apply", "delete", "deletecollection"})
BACKGROUND = frozenset({"leases", "events"})
"""Resources that are written by the clock and not by the work: how many of their calls a run makes differs from run to run."""
QUESTIONS = frozenset(
    {
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "subjectaccessreviews",
        "localsubjectaccessreviews",
        "selfsubjectreviews",
        "tokenreviews",
    }
)
"""Resources that are asked with a POST and change nothing."""
APPLY_TYPES = ("application/apply-patch+yaml", "application/apply-patch+cbor")
NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request in the words of RBAC; empty text where there is none. A path outside the API (`/version`) is `name`, with no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    dry_run: bool = False

    @property
    def is_write(self) -> bool:
        """Whether it can change the cluster: not a dry run, and not a review, which is a question sent as a POST."""
        return self.verb in WRITE_VERBS and not self.dry_run and self.resource not in QUESTIONS

    @property
    def is_background(self) -> bool:
        return self.resource in BACKGROUND

    @property
    def kind(self) -> str:
        """`group/resource/subresource`, empty parts left out. Examples: "pods", "apps/deployments/status"."""
        return "/".join(part for part in (self.group, self.resource, self.subresource) if part) or self.name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call(Operation):
    """One request that reached the proxy. Times are of the monotonic clock, in seconds.

    code: what the client was told, None for nothing (dropped, silent, or still open). upstream_code: what the API server said, None
    where it was not asked. finished: None while the call is open, as a watch is. fault: the name of the fault that hit it, or "".
    """

    index: int
    user_agent: str = ""
    started: float
    finished: float | None = None
    code: int | None = None
    upstream_code: int | None = None
    fault: str = ""

    @property
    def took_effect(self) -> bool:
        """Whether the API server accepted a write, whatever the client was told."""
        return self.is_write and self.upstream_code is not None and self.upstream_code < 300


def parse_operation(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Operation:
    """The operation that a request stands for; follows the API server's own request parsing.

    Examples: ("GET", "/api/v1/pods?watch=1") -> watch pods; ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b", apply-patch) -> apply.
    """
    url = urlsplit(target)
    query = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
    parts = [unquote(part) for part in url.path.split("/") if part]
    match parts:
        case ["api", _, *rest] if rest:
            group = ""
        case ["apis", group, _, *rest] if rest:
            pass
        case _:
            return Operation(verb=method.lower(), name=url.path)
    is_watch = query.get("watch") in ("1", "true", "True")
    if rest[0] == "watch" and len(rest) > 1:
        is_watch, rest = True, rest[1:]
    namespace, resource, name, subresource = _place(rest)
    verb = _verb(method, is_watch, bool(name), headers.get("Content-Type", ""))
    if not name:
        name = _name_in(body) if method == "POST" else _name_selected(query.get("fieldSelector", ""))
    return Operation(
        verb=verb,
        group=group,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
        dry_run=bool(query.get("dryRun")),
    )


def _place(rest: list[str]) -> tuple[str, str, str, str]:
    """(namespace, resource, name, subresource) of the path behind the version."""
    match rest:
        case ["namespaces", name]:
            return name, "namespaces", name, ""
        case ["namespaces", name, subresource] if subresource in NAMESPACE_SUBRESOURCES:
            return name, "namespaces", name, subresource
        case ["namespaces", namespace, resource, *more]:
            pass
        case [resource, *more]:
            namespace = ""
        case _:
            return "", "", "", ""
    return namespace, resource, more[0] if more else "", more[1] if len(more) > 1 else ""


def _verb(method: str, is_watch: bool, is_named: bool, content_type: str) -> str:
    match method:
        case "GET" | "HEAD" if is_watch:
            return "watch"
        case "GET" | "HEAD":
            return "get" if is_named else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "apply" if content_type.startswith(APPLY_TYPES) else "patch"
        case "DELETE":
            return "delete" if is_named else "deletecollection"
        case _:
            return method.lower()


def _name_in(body: bytes) -> str:
    """The name in a created object; `prefix*` where the server shall choose one, "" where the body is not JSON."""
    try:
        metadata = json.loads(body)["metadata"]
        return str(metadata.get("name") or f"{metadata['generateName']}*")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _name_selected(field_selector: str) -> str:
    for term in field_selector.split(","):
        field, found, value = term.partition("=")
        if found and field == "metadata.name":
            return value.lstrip("=")
    return ""


def dump_calls(calls: Iterable[Call]) -> str:
    """The calls as JSON lines, to keep a recorded run beside the tests that are enumerated from it."""
    return "".join(json.dumps(dataclasses.asdict(call)) + "\n" for call in calls)


def load_calls(text: str) -> tuple[Call, ...]:
    """What dump_calls wrote."""
    return tuple(Call(**json.loads(line)) for line in text.splitlines())
