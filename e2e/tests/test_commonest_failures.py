"""Of the commonest failures of a workload each verb names the cause in one sentence, and a next command that works as it is pasted."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from pathlib import Path

import pytest
import yaml

from e2e.failures import FAILURES, Failure
from e2e.figures import figures
from e2e.kube import Kube
from e2e.prompt import PASTED_S, Prompt, Said
from e2e.releases import ready_reason
from e2e.rig import MERCY, Run, side_by_side
from e2e.samples import sampled

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

#: How many are made at the same time, in namespaces of their own.
AT_ONCE = 3
#: Seconds until the operator has found out; it believes that a pod does not become ready after a minute.
FOUND_S = 90.0
#: How long what follows is let follow, in seconds.
FOLLOWED_S = 5
#: Seconds between two tries.
LOOK_S = 1.0
#: Of a verb that judges, or waits, these are answers and no faults of its own.
_JUDGES = re.compile(r"hardenctl (status|check)\b")
_FOLLOWS = re.compile(r"hardenctl status .* -w\b")
#: What kubectl and hardenctl say while a node replaces a container.
_REPLACED = ("unable to retrieve container logs for", "the node has removed that container")
#: A command in a sentence, which ends with it, or with its part.
_QUOTED = re.compile(r"\b(?:kubectl|hardenctl) [a-z][^;,()]*")


def next_of(said: Said) -> str:
    """The command to type next, "" for none."""
    found = re.findall(r"^Next: (.+)$", said.err, re.MULTILINE)
    assert len(found) <= 1, f"more than one next command: {said}"
    return str(found[0]) if found else ""


async def works(prompt: Prompt, line: str) -> None:
    """Fails unless a command that was named does what it is for. What follows is followed for a while."""
    if _FOLLOWS.match(line):
        said = await prompt.paste(f"{line} --timeout {FOLLOWED_S}s")
        assert said.code in (0, 1, 3, 124), said
        assert said.out, said
        return
    said = await prompt.paste(line)
    async with asyncio.timeout(PASTED_S):
        while any(words in said.out + said.err for words in _REPLACED):
            await asyncio.sleep(LOOK_S)  # as it says: until the next container has ended
            said = await prompt.paste(line)
    assert said.code == 0 or (_JUDGES.match(line) and said.code in (1, 3)), said
    assert said.out, said


def one_line(text: str, words: tuple[str, ...]) -> bool:
    """Whether a line has all of these words."""
    return any(all(word in line for word in words) for line in text.splitlines())


async def is_told(run: Run, name: str, prompt: Prompt, folder: Path) -> None:
    """Deploys the failing version as a person does, and asks of it in three ways."""
    failure = FAILURES[name]
    async with failure.around(run):
        file = folder / f"{run.namespace}.yaml"
        await asyncio.to_thread(file.write_text, yaml.safe_dump(failure.manifest(run.namespace)))
        assert (await prompt.paste(f"hardenctl deploy -f {file} --wait=none --force-conflicts")).code == 0
        begun = time.monotonic()
        await run.kube.until("HardenedService", "web", run.namespace, ready_reason(failure.reason), within=MERCY * FOUND_S)
        figures("a failure is told", failure=name, seconds=time.monotonic() - begun)
        if failure.proof:
            await failure.proof(run)
        wrong = await found_wrong(run, failure, prompt, file)
        assert not wrong, "\n".join(wrong)


async def found_wrong(run: Run, failure: Failure, prompt: Prompt, file: Path) -> list[str]:
    """What the verbs say that they should not."""
    namespace = run.namespace
    says, explains = (tuple(w.format(namespace=namespace) for w in words) for words in (failure.says, failure.says + failure.explains))
    waited = await prompt.paste(f"hardenctl deploy web -f {file} --wait=healthy --timeout {FOLLOWED_S}s")
    status = await prompt.paste(f"hardenctl status web -n {namespace}")
    explained = await prompt.paste(f"hardenctl explain web -n {namespace}")
    # What is healthy has no cause to be so, and waiting for it ends well.
    cause = explained.out if failure.proof else "\n".join(line for line in explained.out.splitlines() if line.startswith("Cause"))
    told = [(status, status.out, says), (explained, cause, explains), *([] if failure.proof else [(waited, waited.err, says)])]
    wrong = [f"{said.line} does not say {words}: {said}" for said, text, words in told if not one_line(text, words)]
    wrong += [f"{said.line} names no next command" for said in (waited, status, explained) if not (failure.proof or next_of(said))]
    expected = failure.next.format(namespace=namespace)
    if not next_of(explained).startswith(expected):
        wrong.append(f"the next command is {next_of(explained)}, and not {expected}")
    quoted = [each.strip() for each in _QUOTED.findall(cause)]
    for line in filter(None, dict.fromkeys([next_of(waited), next_of(status), next_of(explained), *quoted])):
        try:
            await works(prompt, line)
        except AssertionError as error:
            wrong.append(f"{line}: {error}")
    return wrong


def test_that_a_namespace_is_missing_is_told_with_what_makes_it(kubeconfig: Path, tmp_path: Path) -> None:
    prompt, namespace = Prompt(kubeconfig, tmp_path / "bin"), f"absent-{uuid.uuid4().hex[:8]}"
    name = f"of-{namespace}"  # a service of this name in another namespace would be the better hint

    async def all_of_it() -> None:
        lines = [f"deploy {name} --image docker.io/hardened/web-static:v1", f"status {name}", f"status {name} -w", f"explain {name}"]
        found = [await prompt.paste(f"hardenctl {line} -n {namespace}") for line in lines]
        for said in found:
            assert said.code in (1, 4), said
            assert f"error: there is no namespace {namespace}\n" in said.err, said
            assert next_of(said) == f"kubectl create namespace {namespace}", said
        async with Kube(kubeconfig) as kube:
            try:
                await works(prompt, next_of(found[0]))
                assert await kube.get("Namespace", namespace)
            finally:
                await kube.delete("Namespace", namespace)

    asyncio.run(all_of_it())


def groups() -> list[tuple[str, ...]]:
    """The failures, so many together as are made at the same time."""
    names = list(FAILURES)
    return [tuple(names[at : at + AT_ONCE]) for at in range(0, len(names), AT_ONCE)]


@pytest.mark.parametrize("names", sampled([(" + ".join(group),) for group in groups()], 1))
def test_of_a_failure_each_verb_names_the_cause_and_a_next_command_that_works(kubeconfig: Path, tmp_path: Path, names: str) -> None:
    prompt = Prompt(kubeconfig, tmp_path / "bin")

    async def act(run: Run, name: str) -> None:
        await is_told(run, name, prompt, tmp_path)

    asyncio.run(side_by_side(kubeconfig, tmp_path, names.split(" + "), act))
