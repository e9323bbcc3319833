"""The bookmark service: where its source is, and what of Debian it runs with, which its image has and which its tests install."""

from pathlib import Path

SOURCE = Path(__file__).parent
PYTHON = Path("/usr/bin/python3")
_DIST = Path("/usr/lib/python3/dist-packages")
#: A file of each package -> the package.
LIBRARIES = {
    PYTHON: "python3",
    _DIST / "aiohttp/__init__.py": "python3-aiohttp",
    _DIST / "asyncpg/__init__.py": "python3-asyncpg",
    _DIST / "redis/__init__.py": "python3-redis",
    _DIST / "prometheus_client/__init__.py": "python3-prometheus-client",
}
