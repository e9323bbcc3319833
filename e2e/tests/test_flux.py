"""A team's services by a real Flux, as `generate flux` sets it up: install, bump, bad bump, revert, drift, prune; it never fights."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from e2e import flux
from e2e.audit import Since
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.git_server import GitServer
from e2e.kube import Body, condition
from e2e.prompt import Prompt
from e2e.releases import ready_reason, released, serving_color
from e2e.rig import Run, running
from e2e.traffic import sending

FILE = "services/web.yaml"
RATE = 20.0
#: Seconds for a commit to be read, applied and released.
RELEASED_WITHIN = 120.0
#: Seconds in which a rejected version stays in Git, and how often Flux applies what is there meanwhile.
PINNED_S = 600.0
EVERY = "15s"
#: Seconds of a spec that is what serves to be ready, beside Flux's own.
HEALED_WITHIN = 20.0

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.usefixtures("rights")]


class Team:
    """What a team does: it commits, and has Flux look."""

    def __init__(self, run: Run, git: GitServer) -> None:
        self.run, self.git, self.name = run, git, run.namespace

    async def commit(self, message: str, version: str | None, *, bad: bool = False) -> str:
        """version: None for a repository without the service."""
        text = None if version is None else yaml.safe_dump(self.service(version, bad=bad))
        return await self.seen(self.git.commit(message, {FILE: text, "services/README.md": message}))

    async def seen(self, commit: str) -> str:
        await flux.look_now(self.run.kube, self.name)
        return commit

    def service(self, version: str, *, bad: bool) -> Body:
        smoke = {"path": "/", "expectBody": "v0" if bad else version, "count": 3, "interval": "200ms"}
        verify = {"beforeCutover": [{"name": "smoke", "http": smoke}], "afterCutover": {"window": "2s"}}
        found = released(self.run.namespace, version, verify=verify)
        del found["metadata"]["namespace"]  # Flux says which
        return found

    async def until_applied(self, commit: str) -> Body:
        kube = self.run.kube
        live, _ = await kube.until("Kustomization", self.name, flux.NAMESPACE, flux.has_applied(commit), within=RELEASED_WITHIN)
        assert live
        return live


@contextlib.asynccontextmanager
async def team(local: LocalCluster, folder: Path) -> AsyncIterator[Team]:
    """With a namespace, a repository, and Flux as hardenctl sets it up for it."""
    async with running(local.kubeconfig, folder, name="flux") as run, flux.installed(local, run.kube):
        with GitServer(local, folder / "git") as git:
            found = Team(run, git)
            git.commit("the beginning", {FILE: yaml.safe_dump(found.service("v1", bad=False))})
            of = f"--name {found.name} -n {found.name} --repo-url {git.url} --path services --interval {EVERY}"
            said = await Prompt(local.kubeconfig, folder / "bin").paste(f"hardenctl generate flux {of} | kubectl apply -f -")
            assert said.code == 0, said.err
            yield found


async def until_no_check_is_left(run: Run) -> None:
    """Those of the good release ask until its previous pods are gone, a while after it counts as released."""
    async with asyncio.timeout(RELEASED_WITHIN):
        while True:
            if not await run.kube.list("Pod", run.namespace, "app.kubernetes.io/component=verifier"):
                return
            await asyncio.sleep(1)  # the pace at which the list is asked for again


@pytest.mark.timeout(2400)
def test_flux_installs_releases_waits_and_heals_and_fights_nobody(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with team(local, tmp_path) as found:
            kube, namespace = found.run.kube, found.run.namespace
            first = await found.seen(found.git.commit("install", {"services/README.md": "install"}))
            await found.until_applied(first)

            async with sending(local, kube, namespace, rate=RATE) as traffic:
                await found.until_applied(await found.commit("bump", "v2"))
                two = await kube.get("HardenedService", "web", namespace)

                wrong = await found.commit("bad bump", "v3", bad=True)
                failed, failed_s = await kube.until(
                    "Kustomization", namespace, flux.NAMESPACE, flux.has_failed_at(wrong), within=RELEASED_WITHIN
                )
                await until_no_check_is_left(found.run)
                since, before = Since(local.audit_log), await kube.get("HardenedService", "web", namespace)
                await asyncio.sleep(PINNED_S)  # that nothing happens takes as long as it is said to
                after = await kube.get("HardenedService", "web", namespace)
                written = since.children_written(namespace)

                healed = found.git.revert()
                begun = time.monotonic()
                await found.seen(healed)
                await found.until_applied(healed)
                healed_s = time.monotonic() - begun

                # Somebody changes the size of what Git has; Flux sets it back, and nothing is released.
                await kube.patch("HardenedService", "web", namespace, {"spec": {"replicas": 3}})
                await kube.until("HardenedService", "web", namespace, lambda live: bool(live) and live["spec"]["replicas"] == 2, within=60)

            await found.commit("prune", None)
            await kube.until("HardenedService", "web", namespace, lambda live: live is None, within=RELEASED_WITHIN)

        said = condition(failed, "Ready")
        figures(
            "Flux: bump, bad bump, ten minutes of it, revert, drift, prune",
            requests=traffic.sent.requests,
            failed=traffic.sent.failed,
            seconds_to_failed=failed_s,
            pinned_s=PINNED_S,
            writes_of_children=written.total(),
            seconds_to_healed=healed_s,
            said=said["message"],
        )
        assert serving_color(two) == "green"
        assert before
        assert after
        assert ready_reason("Rejected")(after)
        assert after["metadata"]["generation"] == before["metadata"]["generation"], "nobody changed the spec"
        assert not written, "nobody undid anything"
        assert "web" in said["message"]
        assert healed_s <= HEALED_WITHIN
        assert traffic.sent.failed == 0, traffic.sent.figures["failures"]

    asyncio.run(all_of_it())
