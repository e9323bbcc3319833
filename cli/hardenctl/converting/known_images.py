"""What common images need that do not say it: the port that they listen on, the user that they become, the folders that they write to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownImage:
    """One of them."""

    port: int
    """Where it listens."""
    user: int | None = None
    """Whom it becomes after it has started as root; None where it starts as somebody."""
    writable: tuple[str, ...] = ()
    """Folders that it writes to, beside its volumes."""
    note: str = ""
    """What else is to be known."""


#: By the last part of their names. Debian's and Alpine's variants differ in the user alone.
_KNOWN = {
    "postgres": (KnownImage(5432, 999, ("/var/run/postgresql",), "PGDATA has to be a folder within the volume: its root is not empty"), 70),
    "redis": (KnownImage(6379, 999), 999),
    "valkey": (KnownImage(6379, 999), 999),
    "mysql": (KnownImage(3306, 999, ("/var/run/mysqld",)), 999),
    "mariadb": (KnownImage(3306, 999, ("/run/mysqld",)), 999),
    "mongo": (KnownImage(27017, 999), 999),
    "rabbitmq": (KnownImage(5672, 999), 100),
    "memcached": (KnownImage(11211), None),
    "nginx": (KnownImage(80, 101, ("/var/cache/nginx", "/var/run"), "it starts as root, for port 80; nginx-unprivileged does not"), 101),
    "nginx-unprivileged": (KnownImage(8080), None),
}  # fmt: skip


def known_image(image: str) -> KnownImage | None:
    """The one of this name, wherever it comes from. Example: "docker.io/library/redis:7-alpine"."""
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    found = _KNOWN.get(name)
    if found is None:
        return None
    known, of_alpine = found
    return KnownImage(known.port, of_alpine, known.writable, known.note) if "alpine" in tag and known.user else known
