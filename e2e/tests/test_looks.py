"""The verbs of hardenctl that look, with the rights of a reader: of a service that serves, that crashes, whose image cannot be pulled."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest
import yaml

from e2e.figures import figures
from e2e.kube import Body, condition, is_ready
from e2e.prompt import Prompt, Said
from e2e.releases import ready_reason, released
from e2e.rig import Run, running, web

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

#: Who runs the verbs, and under which cluster role.
READER, EDITOR = "reader", "editor"
ROLES = {READER: "view", EDITOR: "edit"}
#: A setting that the workload ends by.
CRASHES = {"env": [{"name": "START_DELAY", "value": "soon"}], "replicas": 1}
MISSING = "registry.invalid/nothing:1.0"
#: Seconds until something is said that is to be said soon, and between two calls.
WITHIN_S, LOOK_S = 30.0, 0.2


class Program:
    """hardenctl at a prompt: called with words, or with a line to paste."""

    def __init__(self, namespace: str, kubeconfig: Path, folder: Path) -> None:
        self.namespace, self.prompt = namespace, Prompt(kubeconfig, folder, COLUMNS="80")

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """The program at work, as the administrator."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hardenctl", *words, "-n", self.namespace), env=self.prompt.environment, stdout=asyncio.subprocess.PIPE
        )

    async def __call__(self, *words: str, by: str = READER) -> Said:
        return await self.prompt.paste(shlex.join(["hardenctl", *words, "-n", self.namespace, "--as", by]))

    async def data(self, *words: str, by: str = READER, code: int = 0) -> Body:
        """What it prints with -o json, once it has ended with this code."""
        said = await self(*words, "-o", "json", by=by)
        assert said.code == code, said.err
        body: Body = json.loads(said.out)
        return body


async def grant(run: Run) -> None:
    """Each user their role, learnt by the API server."""
    group = "rbac.authorization.k8s.io"
    for user, role in ROLES.items():
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": user, "namespace": run.namespace},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        }
        await run.kube.create(binding)


async def until_said(program: Program, text: str, *words: str) -> None:
    """Calls it until it says this: rights are learnt after a moment, and a node removes a container while it starts the next one."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if text in (await program(*words)).out:
                return
            await asyncio.sleep(LOOK_S)


async def make(run: Run) -> None:
    """web serves; crash and pull do not come up."""
    named = {"crash": web(run.namespace, **CRASHES), "pull": {**web(run.namespace)}}
    named["pull"]["spec"]["image"] = MISSING
    for name, manifest in named.items():
        manifest["metadata"]["name"] = name
        manifest["spec"].pop("files")
        await run.kube.apply(manifest)
    await run.kube.apply(released(run.namespace, "v1"))
    await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
    for name, reason in (("crash", "CrashLooping"), ("pull", "ImagePullFailed")):
        await run.kube.until("HardenedService", name, run.namespace, ready_reason(reason), within=60)


def kinds(found: Body) -> set[str]:
    return {link["kind"] for link in found["chain"]}


async def explained(program: Program, run: Run) -> None:
    assert (await program.data("explain", "web"))["result"] == "healthy"
    for name, reason, word in (("crash", "CrashLooping", "exit code 2"), ("pull", "ImagePullFailed", MISSING)):
        live = await run.kube.get("HardenedService", name, run.namespace)
        assert live
        found = await program.data("explain", name)
        assert found["reason"] == reason == condition(live, "Ready")["reason"]
        assert word in found["cause"]
        assert {"spec", "revision", "colour", "pod", "event"} <= kinds(found)
        assert (await program.prompt.paste(found["next"])).code == 0
        await program("explain", name)
    assert (await program("explain", "CrashLooping")).code == 0
    assert (await program("explain", "nobody")).code == 1


async def told(program: Program) -> None:
    found = (await program.data("events", "crash"))["events"]
    assert [each["at"] for each in found] == sorted(each["at"] for each in found)
    said = {(each["kind"], each["reason"]) for each in found}
    assert {("ControllerRevision", "RevisionStored"), ("Pod", "Scheduled"), ("Pod", "Error"), ("HardenedService", "CrashLooping")} <= said
    assert ("HardenedService", "SpecWritten") in said
    revision = next(each["revision"] for each in found if each["kind"] == "ControllerRevision")
    of_one = (await program.data("events", "crash", f"--for={revision}"))["events"]
    # It crashes on meanwhile: there are more by now, but none of what is of no revision.
    assert {each["revision"] for each in of_one} == {revision} < {each["revision"] for each in found}
    await program("events", "crash")
    await program("events", "web")


async def heard(program: Program) -> None:
    logs = (await program.data("logs", "web"))["logs"]
    assert len(logs) == 2
    assert all(each["lines"] for each in logs)
    said = await program("logs", "web", "--color", "blue", "--tail", "1")
    assert (said.code, len(said.out.splitlines())) == (0, 2)
    assert (await program("logs", "pull")).code == 1
    await until_said(program, "START_DELAY", "logs", "crash", "--previous")


async def drawn(program: Program) -> None:
    revisions = (await program.data("tree", "web"))["revisions"]
    assert [[len(color["pods"]) for color in each["colors"]] for each in revisions] == [[2]]
    await program("tree", "web")
    out = (await program("tree", "pull")).out
    assert "ImagePullBackOff" in out or "ErrImagePull" in out


async def compared(program: Program, run: Run, folder: Path) -> None:
    """A file that differs, then the same once it was applied; then the two revisions."""
    file = folder / "web.yaml"
    wanted = released(run.namespace, "v2", replicas=2)
    file.write_text(yaml.safe_dump(released(run.namespace, "v1")))
    same = await program.data("diff", "-f", str(file), by=EDITOR)
    assert same["result"] == "unchanged"
    file.write_text(yaml.safe_dump(wanted))
    found = await program.data("diff", "-f", str(file), "--force-conflicts", by=EDITOR, code=1)
    changed = {(each["action"], each["kind"]) for each in found["services"][0]["objects"]}
    assert {("update", "HardenedService"), ("create", "ControllerRevision"), ("create", "Deployment")} <= changed
    assert (await program("diff", "-f", str(file))).code == 4, "a reader may not try to write"
    await run.kube.apply(wanted)
    await run.kube.until("HardenedService", "web", run.namespace, lambda live: is_ready(live) and _serves(live, "v2"), within=60)
    between = await program.data("diff", "web", "1", code=1)
    assert "-image: docker.io/hardened/web-static:v1" in between["diff"]
    assert "+image: docker.io/hardened/web-static:v2" in between["diff"]
    assert (await program("diff", "web", "2", "2")).code == 0
    await program("tree", "web")
    await program("explain", "web")


def _serves(live: Body | None, version: str) -> bool:
    return str((((live or {}).get("status") or {}).get("serving") or {}).get("image", "")).endswith(f":{version}")


async def followed(program: Program) -> None:
    """-f prints what is there, and goes on until it is interrupted."""
    following = await program.start("logs", "web", "-f")
    assert following.stdout
    async with asyncio.timeout(WITHIN_S):
        first = await following.stdout.readline()
        following.send_signal(signal.SIGINT)
        code = await following.wait()
    assert first.startswith((b"[blue/", b"[green/"))
    assert code == 130


async def all_of_them(run: Run, kubeconfig: Path, folder: Path) -> None:
    program = Program(run.namespace, kubeconfig, folder / "bin")
    await asyncio.gather(grant(run), make(run))
    await until_said(program, "serves", "history", "web")
    began = time.monotonic()
    await asyncio.gather(explained(program, run), told(program), heard(program), drawn(program))
    await compared(program, run, folder)
    await followed(program)
    figures("verbs that look", seconds=time.monotonic() - began)


def test_who_may_only_read_learns_why_something_does_not_run(kubeconfig: Path, tmp_path: Path) -> None:
    async def play() -> None:
        async with running(kubeconfig, tmp_path, name="looks") as run:
            await all_of_them(run, kubeconfig, tmp_path)

    asyncio.run(play())
