"""Names of images."""


def full_name(name: str) -> str:
    """The name as Kubernetes reads it. Examples: web:1 -> docker.io/library/web:1; a/b -> docker.io/a/b:latest; x.io/web:1 -> itself."""
    first, slash, _rest = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
