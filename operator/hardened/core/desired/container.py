"""Containers, hardened: read-only root, no capabilities, no privilege escalation, bounded resources."""

from collections.abc import Iterable

from hardened.api.container import HelperContainer, HttpGet, Probe, Probes, Resources, TcpSocket
from hardened.api.fields import Model
from hardened.api.quantity import amount
from hardened.api.service import HardenedServiceSpec, Security
from hardened.core.model.manifest import Manifest, without_none

APP = "app"

#: Filled in where a team says nothing. Small enough for a laptop's cluster, and bounded, so that no pod can take a node.
DEFAULT_REQUESTS = {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
DEFAULT_LIMITS = {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "1Gi"}


def app_container(spec: HardenedServiceSpec, mounts: Iterable[Manifest]) -> Manifest:
    """The application's own container."""
    container: Manifest = {
        "name": APP,
        **_common(spec, spec.security),
        "volumeMounts": list(mounts),
        **_probes(spec),
    }
    if spec.ports:
        container["ports"] = [{"name": p.name, "containerPort": p.container_port, "protocol": p.protocol} for p in spec.ports]
    if spec.shutdown.drain_seconds:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": spec.shutdown.drain_seconds}}}
    return container


def helper_container(helper: HelperContainer, security: Security, *, is_sidecar: bool) -> Manifest:
    """An init container; a sidecar is one that is kept running (restartPolicy Always)."""
    container: Manifest = {"name": helper.name, **_common(helper, security)}
    if helper.volume_mounts:
        container["volumeMounts"] = [as_manifest(mount) for mount in helper.volume_mounts]
    if is_sidecar:
        container["restartPolicy"] = "Always"
    return container


def _common(spec: HardenedServiceSpec | HelperContainer, security: Security) -> Manifest:
    return without_none(
        image=spec.image,
        imagePullPolicy="IfNotPresent",
        command=spec.command,
        args=spec.args,
        env=[as_manifest(var) for var in spec.env] if spec.env else None,
        envFrom=[as_manifest(source) for source in spec.env_from] if spec.env_from else None,
        resources=resources(spec.resources),
        securityContext=_security_context(security),
    )


def _security_context(security: Security) -> Manifest:
    capabilities: Manifest = {"drop": ["ALL"]}
    if security.add_capabilities:
        capabilities["add"] = sorted(security.add_capabilities)
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": capabilities,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def resources(given: Resources | None) -> Manifest:
    """Requests and limits with the gaps filled: a default never contradicts what the team wrote.

    Example: limits {cpu: 20m} -> requests cpu is 20m, not the default of 50m.
    """
    requests = dict((given and given.requests) or {})
    limits = dict((given and given.limits) or {})
    for name, default in DEFAULT_REQUESTS.items():
        requests.setdefault(name, _lower(default, limits.get(name)))
    for name, default in DEFAULT_LIMITS.items():
        limits.setdefault(name, _higher(default, requests.get(name)))
    return {"requests": requests, "limits": limits}


def _lower(default: str, bound: str | None) -> str:
    return bound if bound is not None and amount(bound) < amount(default) else default


def _higher(default: str, bound: str | None) -> str:
    return bound if bound is not None and amount(bound) > amount(default) else default


def _probes(spec: HardenedServiceSpec) -> Manifest:
    main = spec.ports[0].name if spec.ports else None
    probes = spec.probes or Probes()
    listens = spec.ports is not None and len(spec.ports) > 0 and spec.ports[0].protocol == "TCP"
    readiness = probes.readiness or (Probe(tcp_socket=TcpSocket()) if listens else None)
    rendered = {"readinessProbe": readiness, "livenessProbe": probes.liveness, "startupProbe": probes.startup}
    return {name: _probe(probe, main) for name, probe in rendered.items() if probe}


def _probe(probe: Probe, main_port: str | None) -> Manifest:
    manifest = as_manifest(probe)
    for name in ("httpGet", "tcpSocket"):
        if name in manifest:
            manifest[name].setdefault("port", main_port)
    if isinstance(probe.http_get, HttpGet):
        manifest["httpGet"].setdefault("path", probe.http_get.path)
    return manifest


def as_manifest(model: Model) -> Manifest:
    """A model whose fields are a Pod's own, as a manifest: only what was written."""
    return model.model_dump(by_alias=True, exclude_none=True)
