"""Says what of a pod that runs keeps it from being ready: the probe that fails, in words.

What the kubelet saw is only in Events, which the operator does not read. But a probe that only connects can fail in one way.
"""

from collections.abc import Mapping
from typing import Any

from hardened.core.model.manifest import Manifest


def failing_probe(pod: Manifest) -> str:
    """The probe of the first container that is not ready, with what to do; in general terms where the pod does not show it.

    Example: "nothing accepts connections on its port 8080 (http), which its readiness probe needs: …".
    """
    see = f"see {describing(pod)}"
    states = {each.get("name"): each for each in (pod.get("status") or {}).get("containerStatuses") or ()}
    for container in (pod.get("spec") or {}).get("containers") or ():
        state = states.get(container.get("name")) or {}
        kind = "startup" if container.get("startupProbe") and state.get("started") is False else "readiness"
        probe = container.get(f"{kind}Probe")
        if probe and not state.get("ready"):
            return _failing(container, kind, probe, see)
    return f"its readiness probe fails; {see}"


def describing(pod: Mapping[str, Any]) -> str:
    """What shows all of a pod, with its Events, to be pasted as it is."""
    meta = pod["metadata"]
    return f"kubectl describe pod{in_namespace(pod)} {meta['name']}"


def in_namespace(live: Mapping[str, Any]) -> str:
    """The flag of kubectl. Example: " -n shop"; "" where an object has no namespace."""
    namespace = live["metadata"].get("namespace")
    return f" -n {namespace}" if namespace else ""


#: How a container ends that the kubelet tells to: well, or by SIGKILL or SIGTERM.
_TOLD_TO_END = (0, 128 + 9, 128 + 15)


def by_liveness(pod: Manifest, name: str, exit_code: Any) -> str:
    """That the kubelet may have ended a container by its liveness probe; "" where it has none, or has ended otherwise.

    Example: ", maybe by its liveness probe: GET /live on port 8080 (http)".
    """
    probe = _liveness(pod, name) if exit_code in _TOLD_TO_END else ""
    return f", maybe by its liveness probe: {probe}" if probe else ""


def _liveness(pod: Manifest, name: str) -> str:
    container: Manifest = next((each for each in (pod.get("spec") or {}).get("containers") or () if each.get("name") == name), {})
    match container.get("livenessProbe"):
        case {"httpGet": {"port": port, **more}}:
            return f"GET {more.get('path', '/')} on port {_port(container, port)}"
        case {"tcpSocket": {"port": port}}:
            return f"a connection to port {_port(container, port)}"
        case {"grpc": {"port": port}}:
            return f"gRPC health on port {_port(container, port)}"
        case {"exec": _}:
            return "a command"
    return ""


def _failing(container: Manifest, kind: str, probe: Mapping[str, Any], see: str) -> str:
    match probe:
        case {"tcpSocket": {"port": port}}:
            remedy = "let the application listen there, on all addresses, or set spec.ports to the port that it listens on"
            return f"nothing accepts connections on its port {_port(container, port)}, which its {kind} probe needs; {remedy}"
        case {"httpGet": {"port": port, **more}}:
            return f"its {kind} probe fails: GET {more.get('path', '/')} on port {_port(container, port)}; {see}"
        case {"grpc": {"port": port}}:
            return f"its {kind} probe fails: gRPC health on port {_port(container, port)}; {see}"
        case {"exec": _}:
            return f"its {kind} probe fails: a command; {see}"
    return f"its {kind} probe fails; {see}"


def _port(container: Manifest, port: Any) -> str:
    """A port by its number, with its name where the probe has that. Examples: "8080"; "8080 (http)"."""
    number = next((each.get("containerPort") for each in container.get("ports") or () if each.get("name") == port), None)
    return f"{number} ({port})" if number is not None else str(port)
