"""Each verb of hardenctl under exactly the role that `generate rbac` prints for it, with the token of an account that has nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.kube import Body
from e2e.releases import released, until_no_release, until_step
from e2e.rig import Run, running
from hardenctl.cluster.rights import VERB_RIGHTS

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("rights")]

#: What is missing where a verb is run with less than its role: for what is not here, its first rule.
LEFT_OUT = {
    **{verb: "hardenedservices/" for verb in ("rollback", "promote", "abort", "retry", "pause", "resume", "restore")},
    **{verb: "hardenedservices/" for verb in ("backup create", "backup verify")},
    "history": "controllerrevisions",
    "logs": "pods/log",
    "tree": "pods",
    "explain": "pods",
    "events": "events",
    "version": "customresourcedefinitions",
    "check": "customresourcedefinitions",
    "preflight": "nodes",
}
#: What a verb says of what it may not do.
SAID = ("forbidden", "no right", "may not", "left out", "cannot list", "cannot get", "not checked", "unknown")


@dataclass
class Accounts:
    """One account for each verb, and one that lacks a rule of it."""

    run: Run
    kubeconfig: Path
    folder: Path
    made: list[tuple[str, str]] = field(default_factory=list)
    printed: list[Body] = field(default_factory=list)

    async def make(self, verb: str, *, lacking: str | None = None) -> Path:
        """The kubeconfig of an account with the role of a verb. lacking: the resource that it is not given, by how its name begins."""
        kube, namespace, roles = self.run.kube, self.run.namespace, await self._roles(verb)
        name = f"{verb.replace(' ', '-')}{'-less' if lacking is not None else ''}"
        await kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
        if lacking is not None:
            roles = [_without(role, lacking) for role in roles]
        for role in roles:
            await self._bind(role, name)
        path = f"api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token = (await kube.call("POST", path, body))["status"]["token"]
        return await asyncio.to_thread(self._write, name, str(token))

    async def _roles(self, verb: str) -> list[Body]:
        if not self.printed:
            done = await hardenctl(self.kubeconfig, "generate", "rbac", "-n", self.run.namespace)
            assert done.code == 0, done.err
            self.printed = list(yaml.safe_load_all(done.out))
        name = f"hardenctl-{verb.replace(' ', '-')}"
        return [role for role in self.printed if role["metadata"]["name"] in (name, f"{name}-cluster")]

    async def _bind(self, role: Body, account: str) -> None:
        kind, namespace = role["kind"], self.run.namespace
        scope = {"namespace": namespace} if kind == "Role" else {}
        name = f"{namespace}-{account}-{role['metadata']['name']}"
        api = "rbac.authorization.k8s.io/v1"
        await self.run.kube.create({**role, "metadata": {"name": name, **scope}})
        self.made += [(kind, name), (f"{kind}Binding", name)] if kind == "ClusterRole" else []
        await self.run.kube.create(
            {
                "apiVersion": api,
                "kind": f"{kind}Binding",
                "metadata": {"name": name, **scope},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
            }
        )

    def _write(self, name: str, token: str) -> Path:
        found = yaml.safe_load(self.kubeconfig.read_text())
        found["users"] = [{"name": "account", "user": {"token": token}}]
        (context,) = found["contexts"]
        context["context"] |= {"user": "account", "namespace": self.run.namespace}
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(found))
        return path


def _without(role: Body, lacking: str) -> Body:
    rules = []
    for rule in role["rules"]:
        kept = [name for name in rule["resources"] if not (name.startswith(lacking) if lacking.endswith("/") else name == lacking)]
        rules += [{**rule, "resources": kept}] if kept else []
    return {**role, "rules": rules}


@dataclass(frozen=True)
class Done:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


async def hardenctl(kubeconfig: Path, *arguments: str) -> Done:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hardenctl", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
    )
    out, err = await process.communicate()
    return Done(int(process.returncode or 0), out.decode(), err.decode())


def manual(namespace: str, version: str) -> Body:
    """It waits for somebody before each cutover but its first. Its backups have nothing to be made with, which the operator says."""
    terms = {
        "strategy": "BlueGreen",
        "keepPrevious": "60s",
        "progressDeadline": "60s",
        "promotion": "Automatic" if version == "v1" else "Manual",
    }
    nightly = {
        "name": "nightly",
        "schedule": "0 3 * * *",
        "repository": {"secretName": "restic"},
        "source": {"redis": {"secretName": "redis"}},
        "verify": {"schedule": "0 5 * * 0"},
    }
    return released(namespace, version, release=terms, replicas=1, backups=[nightly])


def test_each_verb_runs_under_its_role_and_not_with_less(kubeconfig: Path, tmp_path: Path) -> None:
    async def act() -> None:
        async with running(kubeconfig, tmp_path, name="rights") as run:
            accounts = Accounts(run, kubeconfig, tmp_path)
            try:
                whole = {verb: await accounts.make(verb) for verb in VERB_RIGHTS}
                less = {verb: await accounts.make(verb, lacking=LEFT_OUT.get(verb, "hardenedservices")) for verb in VERB_RIGHTS}
                assert await tour(run, whole, less, tmp_path) == set(VERB_RIGHTS)
            finally:
                for kind, name in accounts.made:
                    await run.kube.delete(kind, name)

    asyncio.run(act())


async def tour(run: Run, whole: dict[str, Path], less: dict[str, Path], folder: Path) -> set[str]:
    """Two and a half releases, so that each verb has something to do. First each is tried with less. Returns the verbs that were run."""
    files = {version: folder / f"{version}.yaml" for version in ("v1", "v2", "v3")}
    for version, path in files.items():
        await asyncio.to_thread(path.write_text, yaml.safe_dump(manual(run.namespace, version)))
    tried: set[str] = set()

    async def call(verb: str, *arguments: str, expect: Sequence[int] = (0,), is_answered: bool = False) -> dict[str, Any]:
        """is_answered: it is the operator that has the last word, whatever it says."""
        line = (*verb.split(), *arguments, "-o", "json")
        refused = await hardenctl(less[verb], *line)
        assert any(word in refused.all for word in SAID), f"{verb} does not need {LEFT_OUT.get(verb)}: {refused}"
        done = await hardenctl(whole[verb], *line)
        assert done.code in expect, f"{verb}: {done}"
        found: dict[str, Any] = json.loads(done.out)
        if not is_answered:
            assert not any(word in done.err for word in SAID), f"{verb} lacks a right: {done}"
        else:
            assert found["action"], f"{verb} was not asked for: {done}"
        tried.add(verb)
        return found

    await call("deploy", "-f", str(files["v1"]))
    for verb in ("get", "status", "tree", "history", "events", "explain", "logs"):
        found = await call(verb, *(["web"] if verb != "get" else []))
        assert found["result"] in ("ok", "healthy")
    assert (await call("report", "web", "-f", str(folder / "web.tar.gz")))["files"]
    await call("backup list", "web")
    saved = folder / "state.yaml"
    exported = await call("state export")
    await asyncio.to_thread(saved.write_text, yaml.safe_dump(exported))
    assert (await call("state import", "-f", str(saved)))["left"]
    await call("suspend", "web", "--until", "1h")
    await call("unsuspend", "web")
    await call("diff", "-f", str(files["v2"]), expect=(1,))
    await call("preflight", "web", expect=(0, 1))
    await call("version")
    assert (await call("check", expect=(0, 1)))["checks"]
    await call("backup create", "web", "nightly", expect=(1, 4), is_answered=True)
    await call("backup verify", "web", "nightly", expect=(1, 4), is_answered=True)
    await call("restore", "web", "--backup", "nightly", "--snapshot", "ab" * 32, "--yes", expect=(1, 4), is_answered=True)
    await paused(run, whole, files["v2"])
    await call("promote", "web")
    await until_phase(run, "Healthy")
    await call("rollback", "web")
    await paused(run, whole, files["v3"])
    for verb in ("pause", "resume", "abort", "retry"):
        await call(verb, "web")
    await until_step(run, "Approval")
    done = await hardenctl(whole["abort"], "abort", "web", "-n", run.namespace)
    assert done.code == 0, done
    await until_no_release(run)
    assert (await call("eject", "web", "--yes"))["left"]
    return tried


async def paused(run: Run, whole: dict[str, Path], file: Path) -> None:
    done = await hardenctl(whole["deploy"], "deploy", "-f", str(file), "--wait=paused", "--timeout=2m")
    assert done.code == 0, f"{run.namespace}: {done}"


async def until_phase(run: Run, phase: str) -> None:
    await run.kube.until(
        "HardenedService", "web", run.namespace, lambda live: ((live or {}).get("status") or {}).get("phase") == phase, within=60
    )
