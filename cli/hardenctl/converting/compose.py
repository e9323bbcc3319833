"""A compose file: one HardenedService for each of its services, as they find each other by name and port."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.converting.compose_parts import (
    environment,
    probes,
    resources,
    seconds,
    strings,
    words,
)
from hardenctl.converting.compose_storage import volumes
from hardenctl.converting.finish import finished
from hardenctl.converting.known_images import known_image
from hardenctl.converting.notes import CannotConvert, Converted, Notes, leave, mapping, without_empty

KIND = "compose"
_HANDLED = (
    "image", "command", "entrypoint", "environment", "ports", "expose", "volumes", "depends_on", "healthcheck", "deploy", "user",
    "read_only", "cap_add", "stop_grace_period", "secrets", "configs", "tmpfs", "mem_limit", "mem_reservation", "cpus", "scale", "build",
    "profiles", "restart", "cap_drop", "security_opt", "networks",
)  # fmt: skip
_WHY = {
    "container_name": "pods have names of their own; clients use the name of the service",
    "hostname": "pods have names of their own",
    "env_file": "the file is not read: make a Secret or a ConfigMap of it, and name that in envFrom",
    "network_mode": "pods share nothing of the node",
    "privileged": "no profile of a HardenedService allows it",
    "pid": "pods share nothing of the node",
    "devices": "request a device in resources.limits",
    "labels": "nothing in the cluster reads them",
    "logging": "the cluster collects what the program prints",
    "working_dir": "the program starts in the folder that the image names",
    "extra_hosts": "names come from DNS",
    "links": "services find each other by name",
    "extends": "the file that it extends is not read",
    "platform": "scheduling.nodeSelector chooses nodes, by kubernetes.io/arch",
    "init": "",
    "stdin_open": "",
    "tty": "",
    "pull_policy": "",
    "develop": "",
}
_DEFAULTED = re.compile(r"\$\{(\w+):?-([^}]*)\}")
_OPEN = re.compile(r"(?<!\$)\$(?:\{(\w+)[^}]*\}|(\w+))")
_PORT = re.compile(r"(?:(?:[\d.]+|\[[0-9a-fA-F:]+\]):)?(?:(\d+)(?:-\d+)?:)?(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?")


def is_one(document: Any) -> bool:
    """Whether it is a compose file."""
    return isinstance(document, Mapping) and "kind" not in document and isinstance(document.get("services"), Mapping)


def services_of(document: Mapping[str, Any], images: Mapping[str, str]) -> list[Converted]:
    """One service for each of the file that is started by default. Raises CannotConvert."""
    services = {str(name): mapping(each) for name, each in document["services"].items()}
    started = {name: each for name, each in services.items() if not each.get("profiles")}
    if not started:
        raise CannotConvert("no service of the file is started without a profile", "take `profiles` away from those that are meant")
    found = [_service(name, each, document, frozenset(started), images) for name, each in started.items()]
    for name in services.keys() - started.keys():
        found[0].notes.left_out(f"services.{name}", "it is started only with a profile")
    return found


def service_name(name: str) -> str:
    """As a Service may be called. Example: "My_App" -> "my-app"."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")


def _service(
    name: str, raw: Mapping[str, Any], document: Mapping[str, Any], all_names: frozenset[str], images: Mapping[str, str]
) -> Converted:
    notes, where = Notes(), f"services.{name}"
    given = mapping(_substituted(raw, notes, where))
    called = service_name(name)
    if called != name:
        notes.changed(where, f"{called}, as a Service may be called: clients that use {name} have to be changed")
    leave(notes, where, given, _HANDLED, _WHY)
    image, deploy = str(given.get("image") or ""), mapping(given.get("deploy"))
    if given.get("build") is not None:
        notes.left_out(f"{where}.build", "the cluster builds no images: push it, with a tag of its own for each version")
    known = known_image(image)
    mounted = volumes(given, document, notes, where)
    entrypoint, command = words(given.get("entrypoint")), words(given.get("command"))
    ports = _ports(given, known.port if known else None, notes, where)
    writable = [path for path in (*mounted.writable, *(known.writable if known else ())) if path != "/tmp"]
    security = _security(given, known.user if known else None, image, notes, where)
    spec = {
        "image": image,
        "command": entrypoint,
        "args": command,
        "env": environment(given.get("environment"), notes, where),
        "ports": ports,
        "resources": resources(given, deploy, notes, where),
        "files": mounted.files,
        "volumes": mounted.volumes,
        "probes": probes(mapping(given.get("healthcheck")), ports, notes, where),
        "shutdown": {"graceSeconds": max(seconds(given["stop_grace_period"]), 6)} if given.get("stop_grace_period") else {},
        "security": without_empty({**security, "writablePaths": ["/tmp", *dict.fromkeys(writable)] if writable else None}),
        "dependsOn": _dependencies(given, all_names, notes, where),
        "replicas": _replicas(given, deploy, notes),
    }
    if known and known.note:
        notes.guessed("spec.security", known.note)
    return finished(f"service {name}", {"name": called}, spec, images, notes)


def _substituted(value: Any, notes: Notes, where: str) -> Any:
    """With the defaults of variables; one without a default stays as it is, and is told of, by its name alone."""
    if isinstance(value, Mapping):
        return {key: _substituted(each, notes, f"{where}.{key}") for key, each in value.items()}
    if isinstance(value, list):
        return [_substituted(each, notes, where) for each in value]
    if not isinstance(value, str) or "$" not in value:
        return value
    for found in _DEFAULTED.finditer(value):
        notes.guessed(where, f"the default of ${found[1]}, as compose takes it where nobody sets it")
    text = _DEFAULTED.sub(lambda found: found[2], value)
    for found in _OPEN.finditer(text):
        notes.left_out(where, f"${found[1] or found[2]} has no default: it is taken for empty, as compose does")
    return _OPEN.sub("", text).replace("$$", "$")


def _ports(given: Mapping[str, Any], usual: int | None, notes: Notes, where: str) -> list[dict[str, Any]]:
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for each in [*(given.get("ports") or ()), *(given.get("expose") or ())]:
        for number, protocol, published in _port(each):
            found.setdefault((number, protocol), {"containerPort": number, **({} if protocol == "TCP" else {"protocol": protocol})})
            if published:
                text = "outside of the cluster an Ingress leads to the service; or service.type LoadBalancer, where the operator allows it"
                notes.left_out(f"{where}.ports[{published}]", text)
    if not found and usual:
        found[(usual, "TCP")] = {"containerPort": usual}
        notes.guessed("spec.ports", f"{usual}, as this image listens on by default")
    if not found:
        notes.guessed("spec.ports", "none, so that it is a worker without a Service: declare what others connect to")
    first = next(iter(found), None)
    return [{"name": "http" if key == first and key[1] == "TCP" else f"port-{key[0]}", **port} for key, port in found.items()]


def _port(given: Any) -> Sequence[tuple[int, str, str]]:
    """The ports within the container, with what each is published at."""
    if isinstance(given, Mapping):
        target = given.get("target")
        return [(int(str(target)), str(given.get("protocol") or "tcp").upper(), str(given.get("published") or ""))] if target else []
    found = _PORT.fullmatch(str(given))
    if not found:
        return []
    first, last = int(found[2]), int(found[3] or found[2])
    return [(number, (found[4] or "tcp").upper(), found[1] or "") for number in range(first, min(last, first + 15) + 1)]


def _security(given: Mapping[str, Any], usual: int | None, image: str, notes: Notes, where: str) -> dict[str, Any]:
    user, _, group = str(given.get("user") or "").partition(":")
    found: dict[str, Any] = {}
    if user.isdigit() and int(user):
        found["runAsUser"] = int(user)
    elif user:
        notes.left_out(f"{where}.user", "root is refused, and a name is not enough: set security.runAsUser to a number")
    elif usual:
        found |= {"runAsUser": usual, "runAsGroup": usual, "fsGroup": usual}
        notes.guessed("spec.security.runAsUser", f"{usual}, the user of {image.rpartition('/')[2]}, which starts as root otherwise")
    else:
        notes.guessed("spec.security.runAsUser", "the image's own user, which must have a number other than 0; else name one")
    if group.isdigit() and int(group):
        found |= {"runAsGroup": int(group), "fsGroup": int(group)}
    if not given.get("read_only"):
        text = "only /tmp can be written to: add each folder that the application writes into, or mount a volume there"
        notes.guessed("spec.security.writablePaths", text)
    for each in strings(given.get("cap_add")):
        notes.left_out(f"{where}.cap_add", f"{each}: say it in security.addCapabilities if the program cannot do without")
    return found


def _dependencies(given: Mapping[str, Any], all_names: frozenset[str], notes: Notes, where: str) -> list[dict[str, str]]:
    wanted = given.get("depends_on") or ()
    found = []
    for each in wanted:
        condition = mapping(wanted[each]).get("condition") if isinstance(wanted, Mapping) else ""
        if condition == "service_completed_successfully":
            notes.left_out(f"{where}.depends_on.{each}", "what has to run before is release.migrate, or an init container")
        elif each in all_names:
            found.append({"service": service_name(str(each))})
    return found


def _replicas(given: Mapping[str, Any], deploy: Mapping[str, Any], notes: Notes) -> int:
    said = deploy.get("replicas", given.get("scale"))
    if isinstance(said, int):
        return said
    notes.guessed("spec.replicas", "1, as compose runs it; with 2 or more a node can be drained without a gap")
    return 1
