"""The Kubernetes Pod Security Standards as checks over a pod template: one function per control of the documentation.

Source: kubernetes.io/docs/concepts/security/pod-security-standards, as of Kubernetes 1.36.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Part = Mapping[str, Any]
#: A control gives a sentence per violation.
Control = Callable[[Part], Iterator[str]]


def containers(spec: Part) -> list[Part]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ()), *(spec.get("ephemeralContainers") or ())]


def _contexts(spec: Part) -> list[tuple[str, Part]]:
    own = [(c["name"], c.get("securityContext") or {}) for c in containers(spec)]
    return [("pod", spec.get("securityContext") or {}), *own]


def host_process(spec: Part) -> Iterator[str]:
    for name, context in _contexts(spec):
        if (context.get("windowsOptions") or {}).get("hostProcess"):
            yield f"{name}: hostProcess"


def host_namespaces(spec: Part) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield name


def privileged(spec: Part) -> Iterator[str]:
    for name, context in _contexts(spec):
        if context.get("privileged"):
            yield f"{name}: privileged"


_BASELINE = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
})  # fmt: skip


def baseline_capabilities(spec: Part) -> Iterator[str]:
    for name, context in _contexts(spec):
        for added in set((context.get("capabilities") or {}).get("add") or ()) - _BASELINE:
            yield f"{name}: adds {added}"


def host_path_volumes(spec: Part) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if "hostPath" in volume:
            yield f"volume {volume['name']}: hostPath"


def host_ports(spec: Part) -> Iterator[str]:
    for container in containers(spec):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield f"{container['name']}: hostPort {port['hostPort']}"


def host_in_probes(spec: Part) -> Iterator[str]:
    for container in containers(spec):
        handlers = [container.get(p) or {} for p in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [(container.get("lifecycle") or {}).get(h) or {} for h in ("postStart", "preStop")]
        if any((handler.get(kind) or {}).get("host") for handler in handlers for kind in ("httpGet", "tcpSocket")):
            yield f"{container['name']}: a probe or handler names a host"


def app_armor(spec: Part) -> Iterator[str]:
    for name, context in _contexts(spec):
        if (context.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
            yield f"{name}: AppArmor is off"


def se_linux(spec: Part) -> Iterator[str]:
    allowed = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
    for name, context in _contexts(spec):
        options = context.get("seLinuxOptions") or {}
        if options.get("type", "") not in allowed or options.get("user") or options.get("role"):
            yield f"{name}: SELinux options"


def proc_mount(spec: Part) -> Iterator[str]:
    for name, context in _contexts(spec):
        if context.get("procMount", "Default") != "Default":
            yield f"{name}: procMount"


_SYSCTLS = frozenset({
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
})  # fmt: skip


def sysctls(spec: Part) -> Iterator[str]:
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ():
        if sysctl["name"] not in _SYSCTLS:
            yield f"sysctl {sysctl['name']}"


def volume_types(spec: Part) -> Iterator[str]:
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    for volume in spec.get("volumes") or ():
        for kind in set(volume) - {"name"} - allowed:
            yield f"volume {volume['name']}: {kind}"


def privilege_escalation(spec: Part) -> Iterator[str]:
    for container in containers(spec):
        if (container.get("securityContext") or {}).get("allowPrivilegeEscalation") is not False:
            yield f"{container['name']}: allowPrivilegeEscalation"


def non_root(spec: Part) -> Iterator[str]:
    pod = (spec.get("securityContext") or {}).get("runAsNonRoot")
    for container in containers(spec):
        if (container.get("securityContext") or {}).get("runAsNonRoot", pod) is not True:
            yield f"{container['name']}: may run as root"


def non_root_user(spec: Part) -> Iterator[str]:
    for name, context in _contexts(spec):
        if context.get("runAsUser") == 0:
            yield f"{name}: runAsUser 0"


def seccomp(spec: Part) -> Iterator[str]:
    pod = ((spec.get("securityContext") or {}).get("seccompProfile") or {}).get("type")
    for container in containers(spec):
        if ((container.get("securityContext") or {}).get("seccompProfile") or {}).get("type", pod) not in ("RuntimeDefault", "Localhost"):
            yield f"{container['name']}: no seccomp profile"


def dropped_capabilities(spec: Part) -> Iterator[str]:
    for container in containers(spec):
        capabilities = (container.get("securityContext") or {}).get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            yield f"{container['name']}: does not drop ALL"


def restricted_capabilities(spec: Part) -> Iterator[str]:
    yield from dropped_capabilities(spec)
    for container in containers(spec):
        capabilities = (container.get("securityContext") or {}).get("capabilities") or {}
        for added in set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
            yield f"{container['name']}: adds {added}"


BASELINE: tuple[Control, ...] = (
    host_process, host_namespaces, privileged, baseline_capabilities, host_path_volumes, host_ports, host_in_probes, app_armor, se_linux,
    proc_mount, sysctls,
)  # fmt: skip
RESTRICTED: tuple[Control, ...] = (
    *BASELINE, volume_types, privilege_escalation, non_root, non_root_user, seccomp, restricted_capabilities,
)  # fmt: skip
#: What holds for every pod of ours: profile baseline lets more capabilities be added, and nothing else.
EITHER: tuple[Control, ...] = (
    *BASELINE, volume_types, privilege_escalation, non_root, non_root_user, seccomp, dropped_capabilities,
)  # fmt: skip


def violations(template: Part, controls: tuple[Control, ...] = RESTRICTED) -> list[str]:
    """Everything in a pod template that the controls do not allow."""
    return [violation for control in controls for violation in control(template["spec"])]
