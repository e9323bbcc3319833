from dataclasses import replace
from pathlib import Path

import pytest

from e2e.cluster.errors import ClusterError
from e2e.cluster.local import layout, subnets
from e2e.cluster.local.layout import NODES_MAX, SOCKET_PATH_MAX, Layout, check_name

HOME = Path("/root/.local/state/hardened/clusters")


def cluster(name: str = "demo", *, folder: Path | None = None, subnet: int = 0, nodes: int = 2) -> Layout:
    return Layout(name=name, folder=folder or HOME / name, subnet=subnet, nodes=nodes)


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        pytest.param((), 0, id="the first cluster gets the first subnet"),
        pytest.param((0, 1, 3), 2, id="a gap is used again"),
        pytest.param((1, 2), 0, id="what is before all others is used"),
        pytest.param(range(255), 255, id="the last one is given, too"),
    ],
)
def test_the_smallest_free_subnet_is_taken(taken: tuple[int, ...], free: int) -> None:
    assert subnets.first_free(taken) == free


def test_when_all_subnets_are_taken_a_person_is_told_what_to_do() -> None:
    with pytest.raises(ClusterError, match="take a cluster down"):
        subnets.first_free(range(256))


def test_only_addresses_of_the_benchmark_range_count_as_taken() -> None:
    addresses = ["198.18.7.1", "198.18.12.0/24", "10.0.0.1", "198.19.3.1", "default"]
    assert subnets.third_octets(addresses) == {7, 12}


@pytest.mark.parametrize("name", ["a", "x" * 32, "e2e-upgrade-from-last-release"])
def test_interface_names_fit_the_kernel_however_long_the_clusters_name_is(name: str) -> None:
    links = cluster(name, nodes=NODES_MAX).links
    assert max(map(len, links)) <= 15
    assert len(set(links)) == len(links)


def test_two_clusters_share_no_name_no_address_and_no_folder() -> None:
    one, two = cluster("one", subnet=1), cluster("two", subnet=2)
    for names in ("links", "network_namespaces", "folders"):
        assert not set(getattr(one, names)) & set(getattr(two, names))
    assert one.cgroup != two.cgroup
    assert one.server != two.server


def test_the_same_name_below_another_state_folder_is_another_cluster() -> None:
    assert cluster(folder=HOME / "demo").id != cluster(folder=Path("/elsewhere/demo")).id


@pytest.mark.parametrize("depth", [1, 8, 30])
def test_no_socket_path_is_longer_than_the_kernel_allows(depth: int) -> None:
    plan = cluster(folder=Path("/very/long" * depth) / "clusters/demo")
    for node in plan.with_nodes(NODES_MAX).all_nodes:
        for path in (node.kubelet_root / "device-plugins/kubelet.sock", node.run_dir / "c.sock.ttrpc"):
            assert len(str(path)) <= SOCKET_PATH_MAX
        assert len(str(node.run_dir)) <= 40, "containerd refuses a longer folder for its shims' sockets"


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    plan = replace(cluster(folder=tmp_path / "demo", subnet=9), kwok_nodes=3, firewall=True)
    plan.write()
    assert layout.read(tmp_path / "demo") == plan
    assert layout.read(tmp_path / "other") is None


@pytest.mark.parametrize("name", ["demo", "a", "a-1", "0", "x" * 32])
def test_a_name_of_small_letters_digits_and_dashes_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "Demo", "a_b", "-a", "a-", "../x", "a/b", "x" * 33, "a\n"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="is no name for a cluster"):
        check_name(name)


def test_a_cluster_has_no_more_nodes_than_its_subnet_has_room_for() -> None:
    with pytest.raises(ClusterError, match=f"at most {NODES_MAX} nodes"):
        cluster().with_nodes(NODES_MAX + 1)
