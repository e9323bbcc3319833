"""Valid services, generated from the models themselves: a new field is generated as soon as it exists."""

from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hardened.api.backup import BackupSource
from hardened.api.container import EnvFrom, EnvSource, Probe
from hardened.api.crd import schema_of
from hardened.api.duration import DURATION_PATTERN
from hardened.api.network import Dependency, Peer
from hardened.api.service import DisruptionBudget, HardenedServiceSpec
from hardened.api.verify import Check, PrometheusCheck
from hardened.api.volume import Volume

Schema = dict[str, Any]
Values = st.SearchStrategy[Any]

#: Fields of which exactly one is set, by their JSON names.
_ALTERNATIVES: tuple[frozenset[str], ...] = tuple(
    frozenset(schema_of(model)["properties"]) & names
    for model, names in (
        (Probe, {"httpGet", "tcpSocket", "grpc", "exec"}),
        (EnvSource, {"secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"}),
        (EnvFrom, {"secretRef", "configMapRef"}),
        (Volume, {"emptyDir", "claim", "secret", "configMap"}),
        (DisruptionBudget, {"maxUnavailable", "minAvailable"}),
        (Peer, {"ipBlock", "podSelector"}),
        (Check, {"http", "grpc", "tcp", "job", "load", "prometheus"}),
        (PrometheusCheck, {"max", "min"}),
        (Dependency, {"service", "tcp"}),
        (BackupSource, {"postgres", "redis", "volume", "command"}),
    )
)
#: Where a pattern alone gives too few valid values.
_EXAMPLES: dict[str, Values] = {
    "image": st.sampled_from(["registry.example/shop:1", "host:5000/a/b:1.2", "shop@sha256:" + "0" * 64, "shop:1@sha256:" + "a" * 64]),
    "cidr": st.sampled_from(["10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32", "203.0.113.7/32"]),
    "except": st.just([]),
    # Far away: what comes next is the same all day.
    "schedule": st.sampled_from(["0 0 29 2 *", "30 3 29 2 *", "*/5 12 29 FEB *"]),
    "timeZone": st.sampled_from(["Europe/Berlin", "Etc/UTC", "America/New_York"]),
    "priorityClassName": st.sampled_from(["high", "shop.low"]),
}
_DURATIONS = st.sampled_from(["1ms", "500ms", "1s", "15s", "30s", "5m", "1h30m"])
_SMALL, _FIELDS = 3, 6


@cache
def _matching(pattern: str) -> Values:
    return st.from_regex(pattern, fullmatch=True)


@cache
def valid_specs() -> Values:
    """Specs that parse, small ones most of the time; every other one has ports."""
    schema = schema_of(HardenedServiceSpec)
    ports = st.just({}) | st.fixed_dictionaries({"ports": _values({**schema["properties"]["ports"], "minItems": 1})})
    return st.builds(lambda spec, more: repaired(_connected(spec | more)), _object(schema), ports)


@cache
def backed_up_specs() -> Values:
    """Specs that parse, with backups and a claim."""
    schema = schema_of(HardenedServiceSpec)
    claims = st.just([{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}])
    backups = st.fixed_dictionaries({"volumes": claims, "backups": _values({**schema["properties"]["backups"], "minItems": 1})})
    return st.builds(lambda spec, more: repaired(_connected(spec | more)), _object(schema), backups)


@cache
def generated(count: int, specs: Callable[[], Values] = valid_specs) -> list[Any]:
    """About so many valid specs, the same ones each time, the smallest first."""
    found: list[Any] = []
    checks = list(HealthCheck)

    @settings(max_examples=count, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=checks)
    @given(specs())
    def collect(spec: Any) -> None:
        found.append(spec)

    collect()
    return sorted(found, key=lambda spec: len(str(spec)))


def _connected(spec: dict[str, Any]) -> dict[str, Any]:
    """Lets mounts and probes and checks name volumes and ports that are there."""
    volumes, ports = ([part["name"] for part in spec.get(field, ())] for field in ("volumes", "ports"))
    for helper in (*spec.get("initContainers", ()), *spec.get("sidecars", ())):
        for index, mount in enumerate(helper.get("volumeMounts", ())):
            mount["name"] = volumes[index % len(volumes)] if volumes else mount["name"]
    for probe in spec.get("probes", {}).values():
        for kind in probe.keys() & {"httpGet", "tcpSocket"}:
            if ports and isinstance(probe[kind].get("port"), str):
                probe[kind]["port"] = ports[0]
    claims = [part["name"] for part in spec.get("volumes", ()) if "claim" in part]
    for backup in spec.get("backups", ()):
        if claims and "volume" in backup["source"]:
            backup["source"]["volume"]["name"] = claims[0]
    verify = spec.get("verify", {})
    for check in (*verify.get("beforeCutover", ()), *verify.get("afterCutover", {}).get("checks", ())):
        for kind in check.keys() & {"http", "grpc", "tcp", "load"}:
            if ports and "port" in check[kind]:
                check[kind]["port"] = ports[0]
    return spec


def repaired(spec: Any) -> Any:
    """The same spec without the parts that break a rule across fields."""
    for _ in range(100):
        try:
            HardenedServiceSpec.model_validate(spec, by_alias=True, by_name=False)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=True)[0]
            field = str((first.get("ctx") or {}).get("field", ""))
            smaller = _without(spec, [part for part in first["loc"] if part != "[key]"] + _parts(field))
            spec = {k: v for k, v in spec.items() if k not in _BROKEN_BY} if smaller is _GONE else smaller
        else:
            return spec
    raise AssertionError(f"a rule that cannot be repaired by leaving parts out: {spec}")


def _parts(field: str) -> list[int | str]:
    return [int(field[1:-1])] if field.startswith("[") else [part for part in field.split(".") if part]


_GONE = object()
#: A rule of the whole spec may name a field that is not there: then these are what breaks it.
_BROKEN_BY = frozenset({"initContainers", "sidecars", "files"})


def _without(node: Any, path: list[int | str]) -> Any:
    """Leaves out what is at the path; where nothing is there, what would hold it."""
    if not path or not isinstance(node, dict | list):
        return _GONE
    head, rest = path[0], path[1:]
    if head not in (node if isinstance(node, dict) else range(len(node))):
        return _GONE
    inner = _without(node[head], rest)  # type: ignore[index]
    if isinstance(node, list):
        return [inner if i == head else item for i, item in enumerate(node) if i != head or inner is not _GONE]
    return {k: inner if k == head else v for k, v in node.items() if k != head or inner is not _GONE}


def _values(schema: Schema, name: str = "") -> Values:
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(schema["minimum"], min(schema["maximum"], 1000)) | _text(schema)
    kinds: dict[str, Callable[[], Values]] = {
        "string": lambda: _text(schema),
        "integer": lambda: st.integers(schema["minimum"], schema["maximum"]),
        "number": lambda: st.floats(schema["minimum"], schema["maximum"]),
        "boolean": st.booleans,
        "array": lambda: _list(schema),
        "object": lambda: _object(schema) if "properties" in schema else _map(schema),
    }
    return kinds[schema["type"]]()


def _text(schema: Schema) -> Values:
    longest, least = schema.get("maxLength", 64), schema.get("minLength", 0)
    if schema.get("pattern") == DURATION_PATTERN:
        return _DURATIONS
    if "pattern" not in schema:
        return st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=least, max_size=min(longest, 20))
    pattern = schema["pattern"].removesuffix("$").removeprefix("^")
    return _matching(pattern).filter(lambda text: least <= len(text) <= longest)


def _list(schema: Schema) -> Values:
    least, most = schema.get("minItems", 0), min(schema["maxItems"], _SMALL)
    keys = schema.get("x-kubernetes-list-map-keys")
    by = (lambda item: tuple(str(item.get(k)) for k in keys)) if keys else str if schema["x-kubernetes-list-type"] == "set" else None
    return st.lists(_values(schema["items"]), min_size=least, max_size=max(most, least), unique_by=by)


def _map(schema: Schema) -> Values:
    rule = schema["x-kubernetes-validations"][-1]["rule"]
    pattern = rule.split("k.matches(r")[1][1:].rpartition("^")[2].rpartition("$")[0]
    longest = int(rule.split("k.size() <= ")[1].split(" ")[0])
    keys = _matching(pattern).filter(lambda key: 0 < len(key) <= longest)
    return st.dictionaries(keys, _values(schema["additionalProperties"]), min_size=schema.get("minProperties", 0), max_size=2)


def _object(schema: Schema) -> Values:
    fields: dict[str, Schema] = schema["properties"]
    group = next((names for names in _ALTERNATIVES if names <= fields.keys()), frozenset())
    required, values = set(schema.get("required", ())), {name: _values(sub, name) for name, sub in fields.items()}
    one = st.sampled_from(sorted(group))
    optional = st.sets(st.sampled_from(sorted((fields.keys() - group - required) or {""})), max_size=_FIELDS)

    @st.composite
    def build(draw: Any) -> dict[str, Any]:
        wanted = required | draw(optional) | ({draw(one)} if group else set())
        return {name: draw(values[name]) for name in fields if name in wanted}

    return build()
