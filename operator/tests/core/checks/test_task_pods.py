"""The pods that work for a release live where the application does: what lets that one run lets them, and their way is open."""

from datetime import datetime
from typing import Any

import pytest
from tests.core.needs.test_limits import limit_range
from tests.core.reach import End, may_reach
from tests.core.releases import CHECKED, SECOND, SPEC, released
from tests.core.strategies import generated
from tests.core.worlds import World, body, condition, service, settle, with_spec

from hardened.api import names
from hardened.api.parse import parse
from hardened.api.quantity import amount
from hardened.core.desired.check_pod import job_pod, load_pod, once_pod, verifier_pod
from hardened.core.desired.metadata import labels
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.observe.observed import Constraints
from hardened.core.revisions.pod_standard import BASELINE, RESTRICTED, violations
from hardened.core.revisions.revision import render

pytestmark = pytest.mark.one_of(3)

NODES = {
    "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}]}]
    }
}
APART = {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {}, "topologyKey": "kubernetes.io/hostname"}]}
HOUSED: Manifest = {
    **CHECKED,
    "imagePullSecrets": [{"name": "team"}, {"name": "both"}],
    "security": {"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000},
    "scheduling": {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "team", "operator": "Exists"}],
        "affinity": {"nodeAffinity": NODES, "podAntiAffinity": APART},
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
    },
    "podMetadata": {"labels": {"team": "a"}, "annotations": {"example.org/note": "b"}},
}
KIT = Kit("hardened:1", ("platform", "both"))


def made(spec: Manifest) -> dict[str, Manifest]:
    """One pod of each kind."""
    svc = service(spec)
    revision = render(svc)
    return {
        "a verifier": verifier_pod(svc, "v", {}, kit=KIT, seconds=9),
        "load": load_pod(svc, "v", [], kit=KIT, seconds=9),
        "a command": job_pod(svc, "v", ["check"], {}, image="team:1", seconds=9, revision=revision.name),
        "a migration": once_pod(svc, revision, "v", ["migrate"], {}, seconds=9),
    }


KINDS = tuple(made(SPEC))
OURS = ("a verifier", "load")
THEIRS = ("a command", "a migration")


@pytest.mark.parametrize("kind", KINDS)
def test_what_lets_the_application_run_lets_it_run(kind: str) -> None:
    pod = made(HOUSED)[kind]
    spec, meta = pod["spec"], pod["metadata"]
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["tolerations"] == [{"key": "team", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": NODES}, "what keeps its own pods apart says nothing of this one"
    assert (spec["priorityClassName"], spec["runtimeClassName"]) == ("high", "gvisor")
    security = {key: spec["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")}
    assert security == {"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000}
    assert meta["labels"]["team"] == "a"
    assert meta["annotations"]["example.org/note"] == "b"
    assert meta["labels"][names.COMPONENT_LABEL] == "verifier"
    assert not {names.COLOR_LABEL, names.REVISION_LABEL} & meta["labels"].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_that_asks_for_nothing_special_asks_for_nothing_of_it(kind: str) -> None:
    spec = made(SPEC)[kind]["spec"]
    assert not {"nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName"} & spec.keys()
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & spec["securityContext"].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_pulled_with_the_secrets_of_whoever_names_them(kind: str) -> None:
    expected = ["platform", "both", "team"] if kind in OURS else ["team", "both"]
    assert [each["name"] for each in made(HOUSED)[kind]["spec"]["imagePullSecrets"]] == expected


def test_a_pod_is_not_to_be_moved_whatever_the_application_says() -> None:
    key = "cluster-autoscaler.kubernetes.io/safe-to-evict"
    for pod in made({**SPEC, "podMetadata": {"annotations": {key: "true"}}}).values():
        assert pod["metadata"]["annotations"][key] == "false"


def test_what_it_asks_for_is_said_by_the_settings() -> None:
    few = {"requests": {"cpu": "1m"}, "limits": {"memory": "1Gi"}}
    much = {"requests": {"cpu": "2"}}
    kit = Kit("hardened:1", resources=few, load_resources=much)
    svc = service(SPEC)
    assert verifier_pod(svc, "v", {}, kit=kit, seconds=9)["spec"]["containers"][0]["resources"] == few
    assert load_pod(svc, "v", [], kit=kit, seconds=9)["spec"]["containers"][0]["resources"] == much


def claim(name: str, *modes: str, **more: Any) -> Manifest:
    return {"name": name, "mountPath": f"/{name}", "claim": {"size": "1Gi", "accessModes": list(modes), **more}}


VOLUMES = {
    **SPEC,
    "release": {"strategy": "Recreate"},
    "files": [{"mountPath": "/etc/shop", "data": {"app.toml": "a"}}],
    "volumes": [
        {"name": "keys", "mountPath": "/keys", "secret": {"secretName": "keys"}},
        {"name": "settings", "mountPath": "/settings", "configMap": {"name": "settings"}},
        {"name": "cache", "mountPath": "/cache", "emptyDir": {}},
        claim("many", "ReadWriteMany"),
        claim("read", "ReadOnlyMany"),
        {**claim("either", "ReadWriteOnce", "ReadOnlyMany"), "readOnly": True},
        claim("written", "ReadWriteOnce", "ReadOnlyMany"),
        claim("one-node", "ReadWriteOnce", shared=True),
        claim("one-pod", "ReadWriteOncePod"),
    ],
}


@pytest.mark.parametrize("kind", THEIRS)
def test_a_command_has_the_files_of_the_application_and_the_claims_that_two_may_mount(kind: str) -> None:
    spec = made(VOLUMES)[kind]["spec"]
    mounts = {mount["mountPath"]: mount for mount in spec["containers"][0]["volumeMounts"]}
    assert set(mounts) == {"/tmp", "/etc/shop/app.toml", "/keys", "/settings", "/cache", "/many", "/read", "/either"}
    assert {mount["name"] for mount in mounts.values()} == {volume["name"] for volume in spec["volumes"]}
    assert all(mounts[path].get("readOnly") for path in ("/etc/shop/app.toml", "/keys", "/settings", "/either"))
    of_application = render(service(VOLUMES)).template["spec"]["volumes"]
    assert all(volume in of_application for volume in spec["volumes"]), "the same as the application's"


@pytest.mark.parametrize("kind", OURS)
def test_who_only_asks_has_no_volume(kind: str) -> None:
    assert "volumes" not in made(VOLUMES)[kind]["spec"]


@pytest.mark.parametrize(
    ("security", "volumes", "paths"),
    [
        pytest.param({"writablePaths": ["/var/run"]}, [], ["/tmp", "/var/run"], id="beside what the application writes to"),
        pytest.param({"writablePaths": []}, [], ["/tmp"], id="also where the application has none"),
        pytest.param(
            {"writablePaths": []}, [{"name": "writes", "mountPath": "/tmp", "emptyDir": {}}], ["/tmp"], id="but for what is mounted there"
        ),
    ],
)
def test_a_command_can_write_to_tmp(security: Manifest, volumes: list[Manifest], paths: list[str]) -> None:
    spec = made({**SPEC, "security": security, "volumes": volumes})["a command"]["spec"]
    mounts = spec["containers"][0]["volumeMounts"]
    assert sorted(mount["mountPath"] for mount in mounts) == paths
    assert sorted(mount["name"] for mount in mounts) == sorted(volume["name"] for volume in spec["volumes"])


def test_every_pod_passes_the_pod_security_standard_of_its_service() -> None:
    for spec in generated(40):
        profile = (spec.get("security") or {}).get("profile", "restricted")
        for pod in made(spec).values():
            assert violations(pod, RESTRICTED if profile == "restricted" else BASELINE) == []
            mounts = [mount["mountPath"] for mount in pod["spec"]["containers"][0].get("volumeMounts", ())]
            assert len(mounts) == len(set(mounts))


# ---- as a release makes them


def second(spec: Manifest, **changes: Any) -> tuple[Manifest, World, datetime]:
    """A service whose first revision serves, and of which another one is asked for."""
    cr, world = body(spec), World()
    now = released(cr, world)
    world.writes.clear()
    return with_spec(cr, image="shop:2", **changes), world, now


def pods_of(world: World, part: str = "-verify-") -> list[Manifest]:
    return [live for key, live in world.objects.items() if key.kind == "Pod" and part in key.name]


def policy_of(world: World) -> Manifest | None:
    return world.objects.get(ChildKey("NetworkPolicy", "shop-verify"))


MIGRATING = {**SPEC["release"], "migrate": {"command": ["migrate"], "deadline": "2m"}}


def test_a_check_is_made_as_the_revision_says_that_is_checked_and_not_a_newer_spec() -> None:
    cr, world, now = second(CHECKED, scheduling={"nodeSelector": {"disk": "slow"}})
    now = released(cr, world, now, until="VerifyAfter")
    # A newer spec waits for the end of this release.
    newer = {**with_spec(cr, image="shop:3", scheduling={"nodeSelector": {"disk": "fast"}}), "status": cr["status"]}
    settle(newer, world, now)
    assert {pod["spec"]["nodeSelector"]["disk"] for pod in pods_of(world)} == {"slow"}


def test_a_migration_finds_the_files_of_its_revision_before_any_other_pod_of_it() -> None:
    files = [{"mountPath": "/etc/shop", "data": {"app.toml": "new"}}]
    cr, world, now = second(SPEC, files=files, release=MIGRATING)
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Migrate"
    (pod,) = pods_of(world, "-migrate-")
    (name,) = (volume["configMap"]["name"] for volume in pod["spec"]["volumes"] if "configMap" in volume)
    assert world.objects[ChildKey("ConfigMap", name)]["data"] == {"0.app.toml": "new"}
    assert world.writes.index(f"apply ConfigMap {name}") < world.writes.index(f"apply Pod {pod['metadata']['name']}")
    assert world.writes.count(f"apply ConfigMap {name}") == 1
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert world.writes.count(f"apply ConfigMap {name}") == 1


SIZES = limit_range({"type": "Container", "min": {"cpu": "25m"}, "maxLimitRequestRatio": {"cpu": "10"}})


CHECK_OF_EACH_KIND = [
    {"name": "smoke", "http": {}},
    {"name": "contract", "job": {"command": ["true"]}},
    {"name": "many", "load": {"rate": 5, "duration": "5s"}},
]


@pytest.mark.parametrize("part", ["-migrate-", "-before-", "-contract-", "-many-", "-cutover-"])
def test_every_pod_of_a_release_fits_the_limit_range_of_its_namespace(part: str) -> None:
    world = World(limit_ranges=[SIZES])
    verify = {"beforeCutover": CHECK_OF_EACH_KIND} if part not in ("-migrate-", "-cutover-") else None
    pod = pod_in(SPEC, part, world, verify=verify, release=MIGRATING if part == "-migrate-" else SPEC["release"])
    bounds = pod["spec"]["containers"][0]["resources"]
    request, limit = (amount(bounds[kind]["cpu"]) for kind in ("requests", "limits"))
    assert amount("25m") <= request
    assert limit <= 10 * request


def test_pods_that_are_tried_before_a_cutover_are_those_that_are_made() -> None:
    cr, world, now = second(CHECKED)
    world.limit_ranges = [SIZES]
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


# ---- their way


DENY = {
    "kind": "NetworkPolicy",
    "metadata": {"name": "default-deny", "namespace": "market"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}
DATABASE = {"podSelector": {"matchLabels": {"app": "database"}}, "ports": [{"port": 5432}]}
BOUND = {"egressTo": [DATABASE]}


def end(**found: str) -> End:
    return End("market", found)


def the_application(color: str = "blue") -> End:
    return End("market", labels(parse(body(SPEC)), "app", color=color))


DB, CACHE, OTHER = end(app="database"), end(app="cache"), End("market", labels(parse(body(SPEC, name="other")), "app", color="blue"))
OUTSIDE = End(address="203.0.113.7")
DNS = End("kube-system", {"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})


def policies(world: World) -> list[Manifest]:
    return [*world.policies, *(live for key, live in world.objects.items() if key.kind == "NetworkPolicy")]


def in_step(spec: Manifest, part: str, world: World, **changes: Any) -> End:
    """See `pod_in`; as one end of a connection."""
    return End("market", pod_in(spec, part, world, **changes)["metadata"]["labels"])


def pod_in(spec: Manifest, part: str, world: World, **changes: Any) -> Manifest:
    """The pod with this part in its name, of a release that has come so far."""
    cr = body(spec)
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2", **changes)
    world.stuck = True
    for _ in range(5):
        settle(cr, world, now)
        world.follow(now)
        if found := pods_of(world, part):
            return found[0]
        now += SECOND
    raise AssertionError(cr["status"])


def denied() -> World:
    world = World()
    world.policies = [DENY]
    return world


JOB = {"beforeCutover": [{"name": "contract", "job": {"command": ["true"]}}]}


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        pytest.param("-before-", {"verify": CHECKED["verify"]}, id="checks"),
        pytest.param("-contract-", {"verify": JOB}, id="a command"),
        pytest.param("-cutover-", {}, id="the probe"),
        pytest.param("-migrate-", {"release": MIGRATING}, id="a migration"),
    ],
)
def test_where_all_is_denied_they_reach_the_application_and_dns_and_nobody_else(part: str, changes: Manifest) -> None:
    world = denied()
    spec = {**SPEC, "dependsOn": [{"service": "store"}]}
    world.available.add("store")
    pod = in_step(spec, part, world, **changes)
    rules = policies(world)
    for color in ("blue", "green"):
        if ChildKey("NetworkPolicy", f"shop-{color}") in world.objects:
            assert may_reach(pod, the_application(color), 8080, rules)
            assert not may_reach(pod, the_application(color), 9090, rules), "the application lets nobody in there"
    assert may_reach(pod, DNS, 53, rules, "UDP")
    assert may_reach(pod, DNS, 5353, rules)
    assert not any(may_reach(pod, target, 5432, rules) for target in (DB, OTHER, OUTSIDE))
    assert not may_reach(DB, pod, 1, rules), "nobody connects to them"
    assert not may_reach(the_application(), DB, 5432, rules), "nothing is opened for anybody else"
    store = End("market", labels(parse(body(SPEC, name="store")), "app", color="blue"))
    allowed = {"metadata": {"namespace": "market"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}}
    assert may_reach(pod, store, 8080, [*rules, allowed]), "what the service depends on"


def test_a_good_version_is_released_where_all_is_denied_and_its_way_is_open_before_it_is_asked() -> None:
    cr, world, now = second(CHECKED)
    world.policies = [DENY]
    now = released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    first = next(index for index, write in enumerate(world.writes) if write.startswith("apply Pod "))
    assert world.writes.index("apply NetworkPolicy shop-verify") < first
    assert world.writes.count("apply NetworkPolicy shop-verify") == 1, "it stays, and is not made for each pod"
    released(with_spec(cr, image="shop:3"), world, now)
    assert world.writes.count("apply NetworkPolicy shop-verify") == 1, "nor for each release"


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param([], id="no policy"),
        pytest.param([{**DENY, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}], id="one of ingress alone"),
        pytest.param(
            [{**DENY, "spec": {"podSelector": {"matchLabels": {"app": "database"}}, "policyTypes": ["Egress"]}}], id="one for other pods"
        ),
        pytest.param(
            [
                {
                    **DENY,
                    "spec": {
                        "podSelector": {"matchExpressions": [{"key": names.SERVICE_LABEL, "operator": "DoesNotExist"}]},
                        "policyTypes": ["Egress"],
                    },
                }
            ],
            id="one for others than ours",
        ),
    ],
)
@pytest.mark.parametrize("changes", [{}, {"verify": JOB}, {"release": MIGRATING}], ids=["checks", "a command", "a migration"])
def test_where_nothing_bounds_them_no_policy_is_made_and_they_reach_everybody(theirs: list[Manifest], changes: Manifest) -> None:
    world = World()
    world.policies = theirs
    pod = in_step(SPEC, "-verify-", world, **changes)
    assert policy_of(world) is None
    assert may_reach(pod, OUTSIDE, 443, policies(world))


@pytest.mark.parametrize("world", [World(), denied()], ids=["nothing else", "all is denied"])
@pytest.mark.parametrize("changes", [{"verify": JOB}, {"release": MIGRATING}], ids=["a command", "a migration"])
def test_a_command_reaches_what_the_spec_lets_the_application_reach_and_no_more(world: World, changes: Manifest) -> None:
    world = World(policies=list(world.policies))
    pod = in_step({**SPEC, "network": BOUND}, "-verify-", world, **changes)
    rules = policies(world)
    let_in = {"metadata": {"namespace": "market"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}}
    assert may_reach(pod, DB, 5432, [*rules, let_in])
    assert not may_reach(pod, DB, 22, [*rules, let_in])
    assert not may_reach(pod, CACHE, 6379, [*rules, let_in])
    assert not may_reach(pod, OUTSIDE, 443, rules)
    assert may_reach(pod, the_application(), 8080, rules)
    assert may_reach(pod, DNS, 53, rules, "UDP")


def test_what_only_asks_is_not_bounded_by_what_the_spec_says_of_the_application() -> None:
    world = World()
    in_step({**SPEC, "network": BOUND}, "-cutover-", world)
    assert policy_of(world) is None


def test_a_policy_that_nothing_asks_for_any_more_bounds_nobody() -> None:
    cr, world, now = second(SPEC)
    world.policies = [DENY]
    now = released(cr, world, now)
    found = policy_of(world)
    assert found
    assert "Egress" in found["spec"]["policyTypes"]
    world.policies = []
    now = released(with_spec(cr, image="shop:3"), world, now)
    found = policy_of(world)
    assert found
    assert (found["spec"]["policyTypes"], "egress" in found["spec"]) == (["Ingress"], False)


def test_a_service_at_rest_is_not_touched() -> None:
    cr, world, now = second(SPEC)
    now = released(cr, world, now)
    for _ in range(3):  # the probe of the removal ends
        now += 600 * SECOND
        settle(cr, world, now)
        world.follow(now)
    world.policies, world.limit_ranges = [DENY], [SIZES]
    world.writes.clear()
    settle(cr, world, now + 600 * SECOND)
    assert world.writes == []


def test_while_nobody_knows_what_is_demanded_of_pods_none_is_made_and_all_else_goes_on() -> None:
    cr, world, now = second(CHECKED)
    world.knows_constraints = False
    now = released(cr, world, now, until="VerifyBefore")
    settle(cr, world, now)
    assert pods_of(world) == []
    assert "pin" not in cr["status"]
    world.knows_constraints = True
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_what_is_demanded_is_looked_at_once_what_clients_need_is_written() -> None:
    cr, world, now = second(CHECKED, replicas=5)

    def look() -> Constraints:
        world.writes.append("look")
        return Constraints()

    world.constraints = look  # type: ignore[method-assign]
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Preview"
    assert world.writes.count("look") == 1
    made = [write.startswith("apply Pod ") for write in world.writes]
    assert world.writes.index("look") < made.index(True)
    assert world.writes.index("apply Deployment shop-green") < made.index(True)
    assert "apply Deployment shop-blue" in world.writes[: world.writes.index("look")]


def test_while_nobody_knows_it_a_version_that_dies_is_taken_back_all_the_same() -> None:
    cr, world, now = second(CHECKED)
    now = released(cr, world, now, until="VerifyAfter")
    world.knows_constraints = False
    for pod in pods_of(world):
        del world.objects[ChildKey("Pod", pod["metadata"]["name"])]
    world.dead.add("shop-green")
    for _ in range(10):
        world.follow(now)
        settle(cr, world, now)
        now += 10 * SECOND
    assert cr["status"]["serving"]["color"] == "blue"
