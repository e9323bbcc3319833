"""The chart hardened-service, rendered by helm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster import tools
from e2e.cluster.command import attempt, run
from hardened.api.parse import parse

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts/hardened-service"
Manifest = dict[str, Any]


def template(folder: Path, values: Any, *, name: str = "web", chart: Path = CHART) -> tuple[list[Manifest], str]:
    """What helm renders, and what it says where it does not."""
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    done = attempt([tools.helm(), "template", name, chart, "--namespace", "shop", "--values", file])
    return [each for each in yaml.safe_load_all(done.stdout) if each] if done.returncode == 0 else [], done.stderr


def services(folder: Path, values: Any, **more: Any) -> dict[str, Manifest]:
    """The specs of the services by name, each of which the API server would take."""
    found, said = template(folder, values, **more)
    assert found, said
    bodies = [each for each in found if each["kind"] == "HardenedService"]
    for body in bodies:
        parse(body | {"metadata": body["metadata"] | {"uid": "1"}})
    assert len({body["metadata"]["name"] for body in bodies}) == len(bodies)
    return {body["metadata"]["name"]: body["spec"] for body in bodies}


def umbrella_of(folder: Path, *aliases: str) -> Path:
    """A chart with this one as a dependency under each of these aliases."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    usual = {"name": CHART.name, "version": version, "repository": f"file://{CHART}"}
    needed = [{**usual, "alias": alias} if alias else usual for alias in aliases]
    chart = folder / "umbrella"
    chart.mkdir()
    (chart / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "shop", "version": "0.1.0", "dependencies": needed}))
    run([tools.helm(), "dependency", "update", chart])
    return chart
