"""What a container may say: a restricted subset of a Pod's own fields, under the same names."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hardened.api.fields import (
    QUALIFIED,
    AbsolutePath,
    DataKey,
    EnvName,
    LongText,
    Model,
    Name,
    ObjectName,
    PortName,
    PortNumber,
    PortRef,
    Quantity,
    RelativePath,
    Rule,
    Text,
    UrlPath,
    at_most,
    atomic,
    keyed,
    one_of,
)
from hardened.api.places import HIDES_NO_SYSTEM
from hardened.api.quantity import amount

_HOST = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?/"
_PART = r"[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
_IMAGE = rf"^({_HOST})?{_PART}(/{_PART})*(:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?(@sha256:[a-f0-9]{{64}})?$"

Image = Annotated[str, StringConstraints(pattern=_IMAGE, min_length=1, max_length=512)]


def is_pinned(image: str) -> bool:
    """True when an image names a digest, or a tag other than `latest`.

    Examples: "shop:1.4" -> True; "host:5000/shop" -> False (that is a port); "shop:latest" -> False.
    """
    if "@sha256:" in image:
        return True
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return bool(colon) and tag not in ("", "latest")


def image_rule(field: str = "image") -> Rule:
    """The image of this field names a tag or a digest."""
    last = f"self.{field}.split('/')[self.{field}.split('/').size() - 1]"
    return Rule(
        cel=f"self.{field}.contains('@sha256:') || ({last}.contains(':') && !self.{field}.endsWith(':latest'))",
        holds=lambda m: is_pinned(getattr(m, field)),
        message="an image needs a digest, or a tag other than latest: a release deploys one fixed version",
        field=f".{field}",
    )


class KeyRef(Model):
    """One key of a Secret or ConfigMap in the same namespace."""

    name: ObjectName = Field(description="The Secret or ConfigMap.")
    key: DataKey = Field(description="The key in it.")
    optional: bool | None = Field(None, description="True if the pod may start without it. Default: false.")


class FieldRef(Model):
    """A field of the pod itself."""

    field_path: Annotated[
        str,
        StringConstraints(
            pattern=rf"^(metadata\.(name|namespace|uid|(labels|annotations)\['{QUALIFIED}'\])"
            r"|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs))$",
            max_length=400,
        ),
    ] = Field(description="The path of the field, such as metadata.name or status.podIP.")


class ResourceFieldRef(Model):
    """A resource request or limit of a container."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.divisor) || self.divisor == '1' || self.resource.endsWith('.cpu') == (self.divisor == '1m')",
            holds=lambda m: m.divisor in (None, "1") or m.resource.endswith(".cpu") == (m.divisor == "1m"),
            message="use 1 or 1m for cpu, and 1 or a unit such as 1Mi for memory and storage",
            field=".divisor",
        ),
    )

    resource: Annotated[str, StringConstraints(pattern=r"^(limits|requests)\.(cpu|memory|ephemeral-storage)$", max_length=40)] = Field(
        description="Which request or limit, such as limits.memory."
    )
    container_name: Name | None = Field(None, description="Of which container. Default: this one.")
    divisor: Literal["1", "1m", "1k", "1M", "1G", "1T", "1P", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi"] | None = Field(
        None, description="The unit of the value. Default: 1."
    )


class EnvSource(Model):
    """Where a variable's value comes from."""

    rules: ClassVar[tuple[Rule, ...]] = (one_of("secret_key_ref", "config_map_key_ref", "field_ref", "resource_field_ref"),)

    secret_key_ref: KeyRef | None = None
    config_map_key_ref: KeyRef | None = None
    field_ref: FieldRef | None = None
    resource_field_ref: ResourceFieldRef | None = None


class EnvVar(Model):
    """One environment variable."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!(has(self.value) && has(self.valueFrom))",
            holds=lambda m: m.value is None or m.value_from is None,
            message="set value or valueFrom, not both",
        ),
    )

    name: EnvName = Field(description="The variable.")
    value: LongText | None = Field(None, description="Its value. $(NAME) stands for a variable that is named before it.")
    value_from: EnvSource | None = None


class EnvObject(Model):
    """A Secret or ConfigMap in the same namespace."""

    name: ObjectName = Field(description="The Secret or ConfigMap.")
    optional: bool | None = Field(None, description="True if the pod may start without it. Default: false.")


class EnvFrom(Model):
    """All keys of a Secret or ConfigMap, as variables."""

    rules: ClassVar[tuple[Rule, ...]] = (one_of("secret_ref", "config_map_ref"),)

    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]*$", max_length=100)] | None = Field(
        None, description="Put before the name of each variable."
    )
    secret_ref: EnvObject | None = None
    config_map_ref: EnvObject | None = None


_DEVICE = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+/[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"
ResourceName = Annotated[str, StringConstraints(pattern=rf"^(cpu|memory|ephemeral-storage|{_DEVICE})$", max_length=253)]


class Resources(Model):
    """Requests and limits. Omitted ones get defaults (see the reference)."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits) || "
            "quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) <= 0)",
            holds=lambda m: all(amount(wanted) <= amount(m.limits[k]) for k, wanted in (m.requests or {}).items() if k in (m.limits or {})),
            message="a request must not exceed its limit",
            field=".requests",
        ),
        Rule(
            cel="(!has(self.limits) || self.limits.all(k, !k.contains('/') || quantity(string(self.limits[k])).isInteger())) && "
            "(!has(self.requests) || self.requests.all(k, !k.contains('/') || (has(self.limits) && k in self.limits && "
            "quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) == 0)))",
            holds=lambda m: _devices_are_whole(m.requests or {}, m.limits or {}),
            message="request a device such as nvidia.com/gpu in limits, as a whole number",
            field=".limits",
        ),
    )

    requests: Annotated[dict[ResourceName, Quantity], at_most(16)] | None = Field(
        None, description="What the scheduler sets aside, by resource."
    )
    limits: Annotated[dict[ResourceName, Quantity], at_most(16)] | None = Field(
        None, description="What a container may use at most, by resource."
    )


def _devices_are_whole(requests: dict[str, str], limits: dict[str, str]) -> bool:
    whole = all(amount(value) % 1 == 0 for name, value in limits.items() if "/" in name)
    return whole and all(name in limits and amount(limits[name]) == amount(value) for name, value in requests.items() if "/" in name)


class VolumeMount(Model):
    """Mounts one of `spec.volumes` into an init container or a sidecar."""

    rules: ClassVar[tuple[Rule, ...]] = (HIDES_NO_SYSTEM,)

    name: Name = Field(description="One of `volumes`.")
    mount_path: AbsolutePath = Field(description="Where it is mounted.")
    read_only: bool | None = Field(None, description="True if the container may only read it. Default: false.")
    sub_path: RelativePath | None = Field(None, description="The path within the volume. Default: its root.")


Arguments = Annotated[list[Text], atomic(256)]
Environment = Annotated[list[EnvVar], keyed("name", 256)]


class HelperContainer(Model):
    """An init container, or a sidecar that runs as long as the pod."""

    rules: ClassVar[tuple[Rule, ...]] = (image_rule(),)

    name: Name = Field(description="Unique among the containers of the pod; app is the application's own.")
    image: Image = Field(description="The image, by a digest or by a tag other than latest.")
    command: Arguments | None = Field(None, description="Replaces the image's entrypoint.")
    args: Arguments | None = Field(None, description="The arguments of the entrypoint. Default: the image's.")
    env: Environment | None = Field(None, description="Environment variables.")
    env_from: Annotated[list[EnvFrom], atomic(32)] | None = Field(None, description="Secrets and ConfigMaps whose keys become variables.")
    resources: Resources | None = None
    volume_mounts: Annotated[list[VolumeMount], keyed("mount_path", 32)] | None = Field(
        None, description="Which of `volumes` it mounts, and where."
    )


class Port(Model):
    """A port that the application listens on, and the Service port that routes to it."""

    name: PortName = Field(description="Its name, which probes, checks and the Service use.")
    container_port: PortNumber = Field(description="The port that the application listens on.")
    port: PortNumber | None = Field(None, description="The Service's port (default: containerPort).")
    protocol: Literal["TCP", "UDP", "SCTP"] = Field("TCP", description="The transport protocol.")
    app_protocol: Annotated[str, StringConstraints(pattern=rf"^{QUALIFIED}$", min_length=1, max_length=253)] | None = Field(
        None, description="The application protocol, such as kubernetes.io/h2c: a hint for load balancers and meshes."
    )


class HttpHeader(Model):
    """A header of an HTTP probe."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$", max_length=100)] = Field(description="The header.")
    value: Annotated[str, StringConstraints(pattern=r"^[ -~]*$", max_length=1024)] = Field(description="Its value.")


class HttpGet(Model):
    """A GET request; any status from 200 to 399 passes."""

    path: UrlPath = Field("/", description="The path to ask for.")
    port: PortRef | None = Field(None, description="A port's name or number (default: the main port).")
    scheme: Literal["HTTP", "HTTPS"] | None = Field(None, description="Default: HTTP. A certificate is not verified.")
    http_headers: Annotated[list[HttpHeader], atomic(16)] | None = Field(None, description="Headers of the request.")


class TcpSocket(Model):
    """An accepted connection passes."""

    port: PortRef | None = Field(None, description="A port's name or number (default: the main port).")


class Grpc(Model):
    """The standard gRPC health service must answer SERVING."""

    port: PortNumber = Field(description="The number of the container's port.")
    service: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]*$", max_length=253)] | None = Field(
        None, description="The name that the health service is asked for. Default: the server as a whole."
    )


class Exec(Model):
    """A command that runs in the container; exit code 0 passes."""

    command: Annotated[list[Text], atomic(64, least=1)] = Field(description="The program and its arguments. No shell is involved.")


class Probe(Model):
    """A probe as in a Pod."""

    rules: ClassVar[tuple[Rule, ...]] = (
        one_of("http_get", "tcp_socket", "grpc", "exec"),
        Rule(
            cel="(has(self.timeoutSeconds) ? self.timeoutSeconds : 1) <= (has(self.periodSeconds) ? self.periodSeconds : 10)",
            holds=lambda m: (m.timeout_seconds or 1) <= (m.period_seconds or 10),
            message="timeoutSeconds (1 when left out) must not exceed periodSeconds (10 when left out)",
            field=".timeoutSeconds",
        ),
    )

    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    grpc: Grpc | None = None
    exec: Exec | None = None
    initial_delay_seconds: Annotated[int, Field(ge=0, le=3600)] | None = Field(
        None, description="Seconds after the container's start before the first try. Default: 0."
    )
    period_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(None, description="Seconds between two tries. Default: 10.")
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        None, description="Seconds after which a try counts as failed. Default: 1."
    )
    failure_threshold: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Failures in a row until the probe fails. Default: 3."
    )
    success_threshold: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="Successes in a row until the probe passes. Default: 1."
    )


_ONCE = Rule(
    cel="!has(self.liveness) || !has(self.liveness.successThreshold) || self.liveness.successThreshold == 1",
    holds=lambda m: m.liveness is None or m.liveness.success_threshold in (None, 1),
    message="a liveness probe passes at its first success: Kubernetes allows only successThreshold 1",
    field=".liveness.successThreshold",
)
_START_ONCE = Rule(
    cel="!has(self.startup) || !has(self.startup.successThreshold) || self.startup.successThreshold == 1",
    holds=lambda m: m.startup is None or m.startup.success_threshold in (None, 1),
    message="a startup probe passes at its first success: Kubernetes allows only successThreshold 1",
    field=".startup.successThreshold",
)


class Probes(Model):
    """Readiness defaults to a TCP connection to the main port, which the Hardened condition reports as a gap."""

    rules: ClassVar[tuple[Rule, ...]] = (_ONCE, _START_ONCE)

    readiness: Probe | None = Field(None, description="While it fails, no traffic is led to the pod.")
    liveness: Probe | None = Field(None, description="When it fails, the container is restarted.")
    startup: Probe | None = Field(None, description="The other probes wait until it has passed once.")
