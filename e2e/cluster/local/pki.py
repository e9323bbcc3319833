"""The cluster's certificates: one authority, a certificate for each component. They live as long as the cluster's folder."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .layout import API_SERVICE_ADDRESS, Layout

VALID_DAYS = 3650

_CLIENTS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "proxy": ("system:kube-proxy", None),
    "front-proxy": ("front-proxy-client", None),
    "firewall": ("firewall", "system:masters"),
    "kwok": ("kwok", "system:masters"),
}


def ensure(layout: Layout) -> None:
    """Writes the keys and certificates that are missing to the cluster's `pki` folder. Certificates there stay as they are."""
    folder = layout.pki
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = Authority.ensure(folder)
    if not (folder / "sa.key").exists():
        _write(folder / "sa.key", _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"]
    authority.issue("apiserver", "kube-apiserver", names=names, addresses=[layout.control_plane_address, API_SERVICE_ADDRESS, "127.0.0.1"])
    for file, (common_name, organisation) in _CLIENTS.items():
        authority.issue(file, common_name, organisation)
    for node in layout.all_nodes:
        authority.issue(node.name, f"system:node:{node.name}", "system:nodes", names=[node.name], addresses=[node.address])


class Authority:
    """A certificate authority kept in a folder as ca.key and ca.crt."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._folder, self._key, self._certificate = folder, key, certificate

    @classmethod
    def ensure(cls, folder: Path) -> "Authority":
        """The authority of that folder, made where it has none."""
        if not (folder / "ca.crt").exists():
            made = ec.generate_private_key(ec.SECP256R1())
            name = _name("hardened-local-ca", None)
            unsigned = _certificate(name, name, made.public_key()).add_extension(
                x509.BasicConstraints(ca=True, path_length=0), critical=True
            )
            _write(folder / "ca.key", _pem(made))
            # The certificate last: it says that both are there.
            _write(folder / "ca.crt", unsigned.sign(made, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(folder, key, x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()))

    def issue(
        self,
        file: str,
        common_name: str,
        organisation: str | None = None,
        *,
        names: list[str] | None = None,
        addresses: list[str] | None = None,
    ) -> None:
        """Writes FILE.key and FILE.crt, for client and server use, where FILE.crt is not there yet."""
        if (self._folder / f"{file}.crt").exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        subject = _name(common_name, organisation)
        unsigned = _certificate(subject, self._certificate.subject, key.public_key()).add_extension(usage, critical=False)
        answers_to: list[x509.GeneralName] = [x509.DNSName(name) for name in names or []]
        answers_to += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses or []]
        if answers_to:
            unsigned = unsigned.add_extension(x509.SubjectAlternativeName(answers_to), critical=False)
        _write(self._folder / f"{file}.key", _pem(key))
        _write(self._folder / f"{file}.crt", unsigned.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
    )


def _name(common_name: str, organisation: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}")
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.replace(path)
