"""Checks of what is in the open: secrets as plain text, networks, and what a pod may do."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from hardened.api.network import Peer
from hardened.core.hardening.check import Gap, HardeningCheck, Subject, check
from hardened.core.hardening.fields import parts

_SECRET_NAME = re.compile(
    r"(^|[_.-])(PASSWORD|PASSWD|PASSPHRASE|PWD|SECRET|TOKEN|APIKEY|CREDENTIALS?|(API|ACCESS|PRIVATE|SECRET|ENCRYPTION|SIGNING|MASTER)[_.-]KEY)$"
)
#: What stands in for a value, or is none: a path, a reference to another variable, a switch.
_NO_SECRET = re.compile(r"(/.*|\$\(.*\)|true|false|yes|no|none|)", re.IGNORECASE | re.DOTALL)
_SECRET_TEXT = re.compile(
    r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----"
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bxox[abprs]-[A-Za-z0-9-]{10}|\bsk_live_[A-Za-z0-9]{16}"
    r"|\beyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10}"
    r"|\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@$]{0,100}:(?!\$\(|\$\{)[^\s:/@]{1,200}@"
)
_SECRET_OPTION = re.compile(r"--?(?:[a-z]+[-_])*(password|passwd|passphrase|secret|token|api[-_]?key)=(?!\$|/|true$|false$)(.+)", re.DOTALL)
_SECRET_FILE = re.compile(r"(.*\.(pem|key|p12|pfx|jks|keystore)|id_(rsa|dsa|ecdsa|ed25519)|\.?pgpass|\.?netrc|\.?htpasswd|kubeconfig)")
_CERTIFICATE = re.compile(r"-----BEGIN (CERTIFICATE|PUBLIC KEY|X509 CRL)-----")
#: What an image has there, and its programs need.
_OF_THE_IMAGE = frozenset({
    "/bin", "/sbin", "/lib", "/lib64", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/lib",
    "/etc", "/etc/ssl", "/opt", "/app", "/dev", "/proc", "/sys", "/var", "/var/lib",
})  # fmt: skip
_METADATA = (ipaddress.ip_address("169.254.169.254"), ipaddress.ip_address("fd00:ec2::254"))


@check(
    "HS025",
    "error",
    "No variable holds a password as plain text.",
    cause="Whoever may read the service, its revisions or its pods reads it, and it stays in the history of Git. The name of the variable "
    "says that it is a secret; its value is not shown here.",
    fix="put it into a Secret, and mount that with volumes",
    example="volumes: [{name: database, mountPath: /run/secrets/database, secret: {secretName: database}}]",
)
def variables_hold_no_secret(subject: Subject) -> Iterator[Gap]:
    for path, called, container in parts(subject.svc.spec):
        for index, variable in enumerate(container.env or ()):
            if variable.value and _SECRET_NAME.search(variable.name.upper()) and not _NO_SECRET.fullmatch(variable.value):
                yield Gap(f"{path}.env[{index}]", f"variable {variable.name}{called} looks like a secret, and has its value in the spec")


@check(
    "HS026",
    "error",
    "No variable holds credentials within its text.",
    cause="A URL with a password, a private key or a token of a known form is a secret, whatever the variable is called.",
    fix="put it into a Secret, and mount that with volumes; a part of a value can be $(VARIABLE)",
    example='env: [{name: DATABASE_URL, value: "postgres://shop@db/shop?passfile=/run/secrets/database/pgpass"}]',
)
def variables_hold_no_credentials(subject: Subject) -> Iterator[Gap]:
    for path, called, container in parts(subject.svc.spec):
        for index, variable in enumerate(container.env or ()):
            if _SECRET_TEXT.search(variable.value or "") and not _SECRET_NAME.search(variable.name.upper()):
                yield Gap(f"{path}.env[{index}]", f"the value of variable {variable.name}{called} holds credentials")


@check(
    "HS027",
    "error",
    "No argument holds a password.",
    cause="Arguments are shown by every list of processes, beside being in the spec and in its history.",
    fix="let the application read it from a file that is mounted from a Secret",
    example="args: [--password-file=/run/secrets/database/password]",
)
def arguments_hold_no_secret(subject: Subject) -> Iterator[Gap]:
    for path, called, container in parts(subject.svc.spec):
        for field in ("command", "args"):
            for index, text in enumerate(getattr(container, field) or ()):
                if _SECRET_OPTION.fullmatch(text) or _SECRET_TEXT.search(text):
                    yield Gap(f"{path}.{field}[{index}]", f"an argument{called} holds credentials")


@check(
    "HS028",
    "error",
    "Files hold no keys.",
    cause="files becomes a ConfigMap, which many people and programs may read, and which is kept for each revision.",
    fix="put it into a Secret, and mount that with volumes",
    example="volumes: [{name: tls, mountPath: /run/secrets/tls, secret: {secretName: shop-tls}}]",
)
def files_hold_no_secret(subject: Subject) -> Iterator[Gap]:
    for index, folder in enumerate(subject.svc.spec.files or ()):
        for name, text in folder.data.items():
            is_key = _SECRET_FILE.fullmatch(name) and not _CERTIFICATE.match(text)
            if is_key or _SECRET_TEXT.search(text):
                yield Gap(f"spec.files[{index}].data.{name}", f"file {name} holds credentials")


@check(
    "HS029",
    "warn",
    "No capability is added without need.",
    cause="Each is a part of what root may do, such as to take over the files of others. NET_BIND_SERVICE is for ports below 1024 alone.",
    fix="leave it out, or change the image so that it does without",
    example="security: {addCapabilities: []}",
)
def capabilities_are_needed(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    has_low_port = any(port.container_port < 1024 for port in spec.ports or ())
    added = sorted(set(spec.security.add_capabilities) - ({"NET_BIND_SERVICE"} if has_low_port else set()))
    if added:
        yield Gap("spec.security.addCapabilities", f"the pods have {', '.join(added)}")


@check(
    "HS030",
    "error",
    "Nothing is mounted over what the image has there.",
    cause="A mount hides what is below it: an empty folder over /app or /var/lib takes away the files that programs need to start. An "
    "existing folder of the image seems to have lost its files. Only `files` are mounted one by one.",
    fix="mount it at a folder of its own",
    example="files: [{mountPath: /etc/shop, data: {app.toml: …}}]\nsecurity: {writablePaths: [/tmp]}",
)
def image_is_not_hidden(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    places = [
        *((f"spec.security.writablePaths[{index}]", path) for index, path in enumerate(spec.security.writable_paths)),
        *((f"spec.volumes[{index}].mountPath", each.mount_path) for index, each in enumerate(spec.volumes or ())),
    ]
    for path, place in places:
        if place in _OF_THE_IMAGE:
            yield Gap(path, f"{place} of the image is hidden by what is mounted there")


@check(
    "HS031",
    "warn",
    "The service says who may connect to it.",
    cause="Without network.ingressFrom every pod of the cluster may, and so may whoever breaks into one of them.",
    fix="set network.ingressFrom",
    example="network: {ingressFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}}]}",
)
def ingress_is_bounded(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    is_public = spec.service.type in ("LoadBalancer", "NodePort")
    if spec.ports and not is_public and not (spec.network and spec.network.ingress_from is not None):
        yield Gap("spec.network", "every pod of the cluster may connect to it")


@check(
    "HS032",
    "warn",
    "The service says where it connects to.",
    cause="Without network.egressTo its pods may connect anywhere: whoever breaks into one can load programs, and send data out.",
    fix="set network.egressTo; DNS and dependsOn are allowed by themselves",
    example="network: {egressTo: []}",
)
def egress_is_bounded(subject: Subject) -> Iterator[Gap]:
    if not (subject.svc.spec.network and subject.svc.spec.network.egress_to is not None):
        yield Gap("spec.network", "its pods may connect to anywhere")


@check(
    "HS033",
    "warn",
    "network.ingressFrom lets in less than everybody.",
    cause="An empty selector, or a range of all addresses, is as good as no rule.",
    fix="name the namespaces, pods or addresses that connect to it",
    example="network: {ingressFrom: [{podSelector: {matchLabels: {hardened.dev/service: web}}}]}",
)
def ingress_rules_bound(subject: Subject) -> Iterator[Gap]:
    network = subject.svc.spec.network
    for index, peer in enumerate((network and network.ingress_from) or ()):
        if _is_everybody(peer):
            yield Gap(f"spec.network.ingressFrom[{index}]", "this rule lets everybody in")


@check(
    "HS034",
    "warn",
    "network.egressTo leaves out the metadata service of the cloud.",
    cause="At 169.254.169.254 clouds give the credentials of the node to whoever asks from it. A range that includes it opens the way.",
    fix="add 169.254.169.254/32 to except of the ipBlock",
    example="network: {egressTo: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}",
)
def metadata_is_closed(subject: Subject) -> Iterator[Gap]:
    network = subject.svc.spec.network
    for index, peer in enumerate((network and network.egress_to) or ()):
        block = peer.ip_block
        if block and any(_is_in(at, block.cidr) and not any(_is_in(at, e) for e in block.except_ or ()) for at in _METADATA):
            yield Gap(f"spec.network.egressTo[{index}]", "this rule lets pods reach the metadata service of the cloud")


@check(
    "HS035",
    "warn",
    "The service is not opened on every node.",
    cause="A NodePort is open on all nodes, to whoever reaches one of them, beside any ingress controller and its TLS.",
    fix="use ClusterIP behind an Ingress or a Gateway, or LoadBalancer",
    example="service: {type: ClusterIP}",
)
def no_port_of_nodes_is_used(subject: Subject) -> Iterator[Gap]:
    if subject.svc.spec.service.type == "NodePort":
        yield Gap("spec.service.type", "a port of every node leads to it")


def _is_everybody(peer: Peer) -> bool:
    if peer.ip_block:
        return peer.ip_block.cidr.endswith("/0") and not peer.ip_block.except_
    return _is_empty(peer.namespace_selector) and (peer.pod_selector is None or _is_empty(peer.pod_selector))


def _is_empty(selector: Any) -> bool:
    return selector is not None and not selector.match_labels and not selector.match_expressions


def _is_in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, cidr: str) -> bool:
    return address in ipaddress.ip_network(cidr, strict=False)


SECURITY: tuple[HardeningCheck, ...] = (
    variables_hold_no_secret,
    variables_hold_no_credentials,
    arguments_hold_no_secret,
    files_hold_no_secret,
    capabilities_are_needed,
    image_is_not_hidden,
    ingress_is_bounded,
    egress_is_bounded,
    ingress_rules_bound,
    metadata_is_closed,
    no_port_of_nodes_is_used,
)
