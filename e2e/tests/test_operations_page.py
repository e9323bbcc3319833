"""The commands of docs/operations.md work as they stand, in that order: a database is restored, lost with its cluster, restored by hand."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shlex
import time
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from e2e.cluster import tools
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Kube
from e2e.rig import operator_behind
from e2e.workloads.build import build_part
from hardened.api.parse import parse

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
#: What is printed before each part, with the time.
MARK = "@@ "
WITHIN_S = 400
ROWS = 10_000


def parts(namespace: str) -> dict[str, str]:
    """The console blocks of the page in order, by their number and the heading that they stand under; in this namespace."""
    heading, found = "", dict[str, str]()
    for title, block in re.findall(r"^##+ (.*?)$|^```console\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE):
        heading = title or heading
        if block:
            found[f"{len(found)} {heading}"] = re.sub(r"(-n |namespace )shop\b|\bshop(?=/db/)", rf"\g<1>{namespace}", block)
    return found


def script(blocks: dict[str, str]) -> str:
    return "\n".join(f"set +x; echo '{MARK}'$(date +%s.%N) {shlex.quote(name)}; set -x\n{block}" for name, block in blocks.items())


def seconds_of(said: str) -> dict[str, float]:
    """How long each part took, by its name; the last one until now."""
    marks = re.findall(rf"^{MARK}([\d.]+) (.*)$", said, flags=re.MULTILINE)
    times = [(float(at), name) for at, name in marks] + [(time.time(), "")]
    return {name: after - at for (at, name), (after, _) in pairwise(times)}


def restores(said: str) -> list[tuple[int, int]]:
    """Of each restore: how old its snapshot was at its end, and how long it took, in seconds."""
    found = re.findall(r"recovery point: snapshot \w+, of [^(]*\((\w+) ago\); it took (\w+)", said)
    return [(_seconds(age), _seconds(span)) for age, span in found]


def _seconds(text: str) -> int:
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in re.findall(r"(\d+)([hms])", text))


def test_each_section_that_has_a_remedy_has_its_commands() -> None:
    headings = {name.partition(" ")[2] for name in parts("shop")}
    assert {"Rights of a team", "How it does", "Backups", "Restore", "The cluster is lost", "Restore by hand"} <= headings
    every = "".join(parts("docs").values())
    assert not re.search(r"-n shop|namespace shop|\bshop/db/", every), "all of them act on the namespace that is named"


@pytest.mark.parametrize("name", ["api", "db"])
def test_its_services_are_valid(name: str) -> None:
    body = yaml.safe_load((ROOT / f"manifests/samples/shop/{name}.yaml").read_text())
    assert parse({**body, "metadata": {**body["metadata"], "namespace": "shop", "uid": "1", "generation": 1}}).name == name


@pytest.mark.full
@pytest.mark.usefixtures("rights")
@pytest.mark.timeout(2 * WITHIN_S)
def test_its_commands_work_from_the_first_to_the_last_and_no_row_is_lost(local: LocalCluster, tmp_path: Path) -> None:
    local.load([build_part("postgres"), ensure_backup_image()])
    namespace = f"docs-{secrets.token_hex(4)}"
    path = f"{ROOT / '.venv/bin'}:{tools.kubectl().parent}:{os.environ['PATH']}"
    env = {**os.environ, "KUBECONFIG": str(local.kubeconfig), "PATH": path}

    async def all_of_it() -> tuple[int, str, str]:
        settings = {"HARDENED_BACKUP_IMAGE": backup_image_name(), "HARDENED_ALLOW_RESTORE": "true"}
        async with (
            Kube(local.kubeconfig) as kube,
            operator_behind(kube, local.kubeconfig, tmp_path, namespace=namespace, settings=settings),
        ):
            try:
                return await run(script(parts(namespace)), env)
            finally:
                await kube.delete("Namespace", namespace)

    code, out, err = asyncio.run(all_of_it())
    assert code == 0, f"{out[-4000:]}\n{err[-4000:]}"
    for told in ("orders are back", "orders were there", "orders survived", "orders by hand"):
        assert f"{ROWS} {told}\n" in out
    took = seconds_of(out)
    (age, span), beside, after_loss = restores(out)
    figures(
        "docs/operations.md",
        rows=ROWS,
        snapshot_age_seconds=age,
        restore_seconds=span,
        restore_beside_seconds=beside[1],
        restore_into_a_new_cluster_seconds=after_loss[1],
        # From the namespace on, until the application is ready.
        new_cluster_seconds=[each for name, each in took.items() if name.endswith(" The cluster is lost")][-1],
        all_seconds=sum(took.values()),
    )
    print({name: round(each, 1) for name, each in took.items()})


async def run(text: str, env: dict[str, str]) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a bash script in the root of the repository."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euxo", "pipefail", "-c", text, cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()
