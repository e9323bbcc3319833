"""Whether this machine has a Docker engine."""

from .command import attempt, has


def docker_answers() -> bool:
    """Whether a Docker engine runs and lets us in."""
    return has("docker") and attempt(["docker", "info"], timeout=20).returncode == 0
