import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w

from e2e.cluster import tools
from e2e.cluster.local import bringup, components, configs, kwok, manifests
from e2e.cluster.local.layout import Layout
from e2e.cluster.local.programs import Programs

PLAN = Layout(name="demo", folder=Path("/state/demo"), subnet=3, nodes=2)
NODE = PLAN.node(1)
BIN, CONTAINERD = Path("/cache/kubernetes"), Path("/cache/containerd")


def flags(name: str) -> tuple[str, ...]:
    everything = components.control_plane(PLAN, BIN) + components.of_node(PLAN, NODE, BIN, CONTAINERD)
    return next(found.argv for found in everything if found.name == name)


def test_requests_on_our_own_group_are_audited_with_their_bodies_and_others_without() -> None:
    rules = configs.audit_policy()["rules"]
    assert rules[0] == {"level": "RequestResponse", "resources": [{"group": "hardened.dev"}]}
    assert rules[-1] == {"level": "Metadata"}


def test_a_kubeconfig_needs_no_file_beside_it() -> None:
    found = configs.kubeconfig(PLAN, "admin", {"ca.crt": "Q0E=", "admin.crt": "Q1JU", "admin.key": "S0VZ"})
    assert found["clusters"][0]["cluster"] == {"server": "https://198.18.3.2:6443", "certificate-authority-data": "Q0E="}
    assert "/state" not in json.dumps(found)


def test_every_path_of_a_containerd_is_in_its_own_nodes_folders() -> None:
    found = tomllib.loads(tomli_w.dumps(configs.containerd(NODE)))
    paths = [word for word in json.dumps(found).split('"') if word.startswith("/") and word != configs.CNI_PLUGINS]
    assert paths
    assert all(Path(path).is_relative_to(NODE.folder) or Path(path).is_relative_to(NODE.run_dir) for path in paths)


def test_a_kubelet_takes_a_machine_with_cgroups_of_version_1_and_never_throws_images_away() -> None:
    found = configs.kubelet(PLAN, NODE)
    assert found["failCgroupV1"] is False
    assert found["cgroupRoot"] == f"/{PLAN.cgroup}/node1"
    assert found["imageGCHighThresholdPercent"] == 100


def test_pods_get_addresses_of_their_own_nodes_range_and_leave_a_record_that_names_the_cluster() -> None:
    found = configs.cni(PLAN, NODE)
    assert found["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert PLAN.id in found["name"]


def test_the_api_server_takes_a_thousand_services_worth_of_requests_and_finds_nodes_by_address() -> None:
    assert {"--max-requests-inflight=3000", "--kubelet-preferred-address-types=InternalIP", "--enable-aggregator-routing=true"} <= set(
        flags("apiserver")
    )


def test_controllers_are_faster_than_what_is_measured() -> None:
    assert {"--kube-api-qps=300", "--kube-api-burst=600"} <= set(flags("controller-manager"))
    assert configs.scheduler(PLAN)["clientConnection"]["qps"] == 300


def test_each_component_runs_in_the_network_and_cgroup_of_its_node() -> None:
    for found in components.of_node(PLAN, NODE, BIN, CONTAINERD):
        assert (found.netns, found.cgroup) == (NODE.netns, NODE.cgroup)
    for found in components.control_plane(PLAN, BIN):
        assert (found.netns, found.cgroup) == (PLAN.control_plane_netns, PLAN.control_plane_cgroup)


def test_what_enforces_network_policies_runs_in_the_network_whose_rules_it_writes() -> None:
    found = components.firewall(PLAN, NODE, Path("/cache/firewall/firewall"))
    assert (found.name, found.netns, found.cgroup) == ("firewall-1", NODE.netns, NODE.cgroup)
    assert {"-node=node1", "-services=10.96.0.0/16"} <= set(found.argv)


@pytest.mark.parametrize(("firewall", "names"), [(False, []), (True, ["firewall-0", "firewall-1"])], ids=["as it is", "asked for"])
def test_network_policies_are_enforced_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch, firewall: bool, names: list[str]) -> None:
    monkeypatch.setattr(tools, "firewall", lambda: Path("/cache/firewall/firewall"))
    everything = bringup.all_components(replace(PLAN, firewall=firewall), Programs(BIN, CONTAINERD, (), ()))
    assert [found.name for found in everything if found.name.startswith("firewall")] == names


def test_volumes_are_kept_below_the_clusters_own_folder() -> None:
    settings = next(found for found in manifests.render(PLAN) if found["metadata"]["name"] == "local-path-config")
    assert json.loads(settings["data"]["config.json"])["nodePathMap"][0]["paths"] == ["/state/demo/volumes"]


def test_every_addon_uses_images_that_are_on_the_nodes() -> None:
    pods = [found["spec"]["template"]["spec"] for found in manifests.render(PLAN) if found["kind"] == "Deployment"]
    assert len(pods) == 3
    assert all(container["imagePullPolicy"] == "IfNotPresent" for pod in pods for container in pod["containers"])


def test_fake_nodes_are_told_from_real_ones_by_annotation_and_label() -> None:
    plan = Layout(name="bench", folder=Path("/state/bench"), subnet=0, nodes=2, kwok_nodes=10)
    found = [node["metadata"] for node in kwok.nodes(plan)]
    assert [node["name"] for node in found] == [f"kwok-{index}" for index in range(10)]
    assert all(node["annotations"] == {kwok.ANNOTATION: "fake"} and node["labels"]["type"] == "kwok" for node in found)


def test_fake_nodes_are_made_with_room_for_pods_that_ask_for_disk() -> None:
    (node,) = kwok.nodes(Layout(name="bench", folder=Path("/state/bench"), subnet=0, nodes=2, kwok_nodes=1))
    assert node["status"]["allocatable"] == node["status"]["capacity"] == kwok.ROOM
    assert "ephemeral-storage" in kwok.ROOM
