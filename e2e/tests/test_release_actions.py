"""Who may do one thing to one service by hand can do that, and nothing else: the API server itself refuses the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.actions import OF_A_BACKUP, OF_A_REVISION, VERBS, action, phase_of, until_over
from e2e.cluster import Provider
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.install import install
from e2e.kube import Body, Kube, KubeError, is_ready
from e2e.releases import released, until_led_to
from e2e.rig import fresh_namespace, running, serve

SERVICES = ("web", "shop")
#: A revision that there is none of: these actions are judged by the API server alone.
SOME_REVISION = "0" * 12
#: Seconds until the API server goes by a right, or by a policy, that was made or taken away, and between two looks.
LEARNT_S, LOOK_S = 30.0, 0.2

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def user_of(verb: str) -> str:
    """The name of the user who has the right to this verb."""
    return f"{verb.lower()}-alone"


def asked(namespace: str, verb: str, service: str, by: str) -> Body:
    """An action that nothing is wrong with but, perhaps, who asks."""
    revision, backup = SOME_REVISION if verb in OF_A_REVISION else "", "nightly" if verb in OF_A_BACKUP else ""
    snapshot = "0123abcd" if verb == "Restore" else ""
    return action(namespace, verb, by=by, service=service, revision=revision, backup=backup, snapshot=snapshot)


async def allow(kube: Kube, namespace: str, verb: str, service: str) -> str:
    """A user who may create actions, and of them those of one verb on one service. Their name."""
    user, group = user_of(verb), "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": ["hardened.dev"], "resources": ["hardenedserviceactions"], "verbs": ["create"]},
        {
            "apiGroups": ["hardened.dev"],
            "resources": [f"hardenedservices/{verb.lower()}"],
            "resourceNames": [service],
            "verbs": ["create"],
        },
    ]
    meta = {"name": user, "namespace": namespace}
    await kube.create({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules})
    subjects = [{"apiGroup": group, "kind": "User", "name": user}]
    role = {"apiGroup": group, "kind": "Role", "name": user}
    await kube.create({"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": meta, "subjects": subjects, "roleRef": role})
    return user


def with_data(rollback: Body) -> Body:
    """The same, and the data."""
    return {**rollback, "spec": {**rollback["spec"], "withData": True}}


async def refusal(kube: Kube, manifest: Body) -> str:
    """Why the API server does not take an action, or "" where it does. Nothing is made."""
    try:
        await kube.create(manifest, dryRun="All")
    except KubeError as error:
        if error.code != 403:
            raise
        return str(error)
    return ""


async def until_told(kube: Kube, manifest: Body, text: str) -> None:
    """Waits until the API server says this of an action, or takes it, for "": rights and policies are learnt after a moment."""
    async with asyncio.timeout(LEARNT_S):
        while True:
            said = await refusal(kube, manifest)
            if text in said and bool(said) == bool(text):
                return
            await asyncio.sleep(LOOK_S)  # nobody tells that a right is known


def test_a_right_to_one_verb_on_one_service_is_a_right_to_nothing_else(cluster: Provider) -> None:
    async def of_one(kube: Kube, namespace: str, verb: str) -> list[str]:
        user = await allow(kube, namespace, verb, SERVICES[0])
        async with Kube(cluster.kubeconfig, acting_as=user) as theirs:
            await until_told(theirs, asked(namespace, verb, SERVICES[0], user), "")
            wrong = []
            for tried, service in ((t, s) for t in VERBS for s in SERVICES if (t, s) != (verb, SERVICES[0])):
                said = await refusal(theirs, asked(namespace, tried, service, user))
                if f"{user} may not {tried.lower()} the service {service}" not in said:
                    wrong.append(f"{user}: {tried} of {service}: {said or 'it was taken'}")
            said = await refusal(theirs, asked(namespace, verb, SERVICES[0], "somebody-else"))
            if "requestedBy must be your own name" not in said:
                wrong.append(f"{user} in another's name: {said or 'it was taken'}")
            if verb == "Rollback":
                said = await refusal(theirs, with_data(asked(namespace, verb, SERVICES[0], user)))
                if "it needs the right to create hardenedservices/restore, too" not in said:
                    wrong.append(f"{user} with data: {said or 'it was taken'}")
            return wrong

    async def all_of_it() -> list[str]:
        async with Kube(cluster.kubeconfig) as kube, fresh_namespace(kube, "actions") as namespace:
            await until_policy(kube, namespace)
            found = await asyncio.gather(*(of_one(kube, namespace, verb) for verb in VERBS))
            return [line for lines in found for line in lines]

    wrong = asyncio.run(all_of_it())
    figures("rights to actions", verbs=len(VERBS), wrong=len(wrong))
    assert not wrong, "\n".join(wrong)


async def until_policy(kube: Kube, namespace: str) -> None:
    """Waits until the API server goes by the admission policy, also for those who may do all: it refuses them another's name."""
    await until_told(kube, asked(namespace, VERBS[0], SERVICES[0], "somebody-else"), "requestedBy must be your own name")


def test_who_may_roll_back_one_service_rolls_it_back_and_changes_nothing_by_themselves(local: LocalCluster, tmp_path: Path) -> None:
    async def denied(theirs: Kube, namespace: str, done: Body) -> list[str]:
        """What should have been refused, and was not."""
        found = []
        for kind, name, patch, subresource in (
            ("HardenedService", "web", {"spec": {"image": "docker.io/hardened/web-static:v3"}}, ""),
            ("HardenedService", "web", {"spec": {"replicas": 1}}, "scale"),
            ("HardenedServiceAction", done["metadata"]["name"], {"status": {"phase": "Succeeded"}}, "status"),
            ("Service", "web", {"spec": {"sessionAffinity": "ClientIP"}}, ""),
        ):
            try:
                await theirs.patch(kind, name, namespace, patch, subresource)
                found.append(f"{kind} {name} {subresource}")
            except KubeError as error:
                if error.code != 403:
                    raise
        return found

    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="actions") as run:
            await until_policy(run.kube, run.namespace)
            await serve(run, released(run.namespace, "v1"))
            await serve(run, released(run.namespace, "v2"))
            user = await allow(run.kube, run.namespace, "Rollback", "web")
            async with Kube(local.kubeconfig, acting_as=user) as theirs:
                manifest = asked(run.namespace, "Rollback", "web", user)
                await until_told(theirs, manifest, "")
                await theirs.create(manifest)
                done = await until_over(run.kube, manifest, within=30)
                assert phase_of(done) == "Succeeded", done["status"]
                await until_led_to(run, "blue", within=5)
                assert await denied(theirs, run.namespace, done) == []
            live = await run.kube.get("HardenedService", "web", run.namespace)
            assert live
            assert not is_ready(live)
            assert live["status"]["pin"]["message"].startswith(user), "status says who did it"

    asyncio.run(all_of_it())


@pytest.fixture
def unguarded(cluster: Provider) -> Iterator[None]:
    """The operator's chart without the policy, and with it again at the end."""
    install(cluster, helm_args=("--set", "replicas=0", "--set", "actionPolicy.enabled=false"))
    try:
        yield
    finally:
        install(cluster, helm_args=("--set", "replicas=0"))


@pytest.mark.full
@pytest.mark.usefixtures("unguarded")
def test_it_is_the_policy_that_refuses(cluster: Provider) -> None:
    async def all_of_it() -> None:
        async with Kube(cluster.kubeconfig) as kube, fresh_namespace(kube, "actions") as namespace:
            user = await allow(kube, namespace, "Rollback", SERVICES[0])
            async with Kube(cluster.kubeconfig, acting_as=user) as theirs:
                await until_told(theirs, asked(namespace, "Abort", SERVICES[1], "somebody-else"), "")

    asyncio.run(all_of_it())
