"""Wrong fields are named where they stand."""

import os
from pathlib import Path
from typing import Any

import pytest

from hardenctl.files.manifest_file import InvalidManifests, locate, read
from hardenctl.files.yaml_tree import documents
from hardenctl.output.outcome import CommandEnd

GOOD = """\
apiVersion: hardened.dev/v1alpha1
kind: HardenedService
metadata: {name: api}
spec:
  image: registry.example/api:1.0
"""


def _read(tmp_path: Path, text: str | bytes) -> list[str]:
    """The messages, without the folder of the file."""
    path = tmp_path / "api.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(CommandEnd) as caught:
        read([str(path)])
    return caught.value.message.replace(f"{tmp_path}/", "").splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(GOOD + "  replicas: '3'\n", ["api.yaml:6:3: spec.replicas: must be a whole number"], id="a wrong type"),
        pytest.param(
            GOOD + "  ports:\n    - name: http\n      containerport: 80\n",
            [
                "api.yaml:7:7: spec.ports[0].containerPort: Required value",
                "api.yaml:8:7: spec.ports[0].containerport: unknown field; did you mean containerPort?",
            ],
            id="a misspelt field",
        ),
        pytest.param(
            GOOD + "  podMetadata: {labels: {a.b/c: 1}}\n", ["api.yaml:6:26: spec.podMetadata.labels.a.b/c: "], id="a key with dots"
        ),
        pytest.param(GOOD + "  shutdown: {drainSeconds: 40}\n", ["api.yaml:6:14: spec.shutdown.drainSeconds: "], id="a rule over fields"),
        pytest.param(GOOD + "sepc: {}\n", ["api.yaml:6:1: sepc: unknown field; did you mean spec?"], id="a misspelt section"),
        pytest.param(
            GOOD.replace("name: api", "name: api, lables: {}"),
            ["api.yaml:3:23: metadata.lables: unknown field; did you mean labels?"],
            id="in metadata",
        ),
        pytest.param(
            GOOD.replace("name: api", "name: Api"), ["api.yaml:3:12: metadata.name: must begin with a lower case letter"], id="a bad name"
        ),
        pytest.param(
            GOOD.replace("name: api", f"name: {'a' * 41}"), ["api.yaml:3:12: metadata.name: at most 40 characters"], id="a long name"
        ),
        pytest.param(GOOD.replace(":1.0", ""), ["api.yaml:5:3: spec.image: an image needs a digest"], id="an image without a tag"),
        pytest.param(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n",
            ["api.yaml:2:1: kind: Deployment web is no HardenedService"],
            id="another kind",
        ),
        pytest.param(
            GOOD.replace("v1alpha1", "v2"),
            ["api.yaml:1:1: apiVersion: hardened.dev/v2 is not known here; write hardened.dev/v1alpha1"],
            id="a version",
        ),
        pytest.param("a: 1\n", ["api.yaml:1:1: kind: Required value", "api.yaml:1:1: apiVersion: Required value"], id="no kind"),
        pytest.param("- 1\n", ["api.yaml:1:1: a HardenedService must be a mapping"], id="a list"),
        pytest.param(
            GOOD + "---\n" + GOOD, ["api.yaml:9:12: metadata.name: api is here twice; it was first in api.yaml:1"], id="a name twice"
        ),
        pytest.param(
            GOOD + "---\nkind: HardenedServce\napiVersion: hardened.dev/v1alpha1\n",
            ["api.yaml:7:1: kind: HardenedServce is no HardenedService; did you mean HardenedService?"],
            id="a misspelt kind",
        ),
        pytest.param(GOOD + "  image: b:2\n", ["api.yaml:6:3: the key image is here twice; it was first in line 5"], id="a key twice"),
        pytest.param("", ["api.yaml is empty: there is no HardenedService in it"], id="an empty file"),
        pytest.param(b"\x7fELF\0\0", ["api.yaml is not text in UTF-8: it has zero bytes"], id="a program"),
        pytest.param(b"a: 1\nb: \xe4\n", ["api.yaml:2: not text in UTF-8: byte 0xe4"], id="another encoding"),
        pytest.param("a" * (3 * 1024 * 1024 + 1), ["api.yaml is larger than 3 MiB"], id="a huge file"),
    ],
)
def test_a_wrong_file_names_each_fault(tmp_path: Path, text: str | bytes, expected: list[str]) -> None:
    said = _read(tmp_path, text)
    assert len(said) == len(expected), said
    for line, start in zip(said, expected, strict=True):
        assert line.startswith(start)


def test_a_byte_order_mark_and_the_servers_own_fields_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "api.yaml"
    text = GOOD.replace("{name: api}", "{name: api, uid: x, resourceVersion: '7', managedFields: []}") + "status: {phase: Healthy}\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    [document] = read([str(path)])
    assert document.body == {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "api"},
        "spec": {"image": "registry.example/api:1.0"},
    }


def test_many_faults_are_cut_short(tmp_path: Path) -> None:
    said = _read(tmp_path, GOOD + "".join(f"  field{i}: 1\n" for i in range(80)))
    assert len(said) == 51
    assert said[-1] == "… and 30 more"


def test_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("kind: X\n")
    with pytest.raises(InvalidManifests) as caught:
        read([str(tmp_path / "a"), str(tmp_path / "b")])
    assert len(caught.value.wrong) == 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("spec.image", (2, 3)),
        ("spec.ports[1].name", (5, 8)),
        ("spec.ports[7].name", (3, 3)),
        ("spec.labels.a.b/c.d", (6, 12)),
        ("spec.labels[a.b/c.d]", (6, 12)),
        ("spec.none.at.all", (1, 1)),
        ("", (1, 1)),
    ],
)
def test_a_path_is_located(path: str, expected: tuple[int, int]) -> None:
    [root] = documents("spec:\n  image: x\n  ports:\n    - {name: a}\n    - {name: b}\n  labels: {a.b/c.d: 1}\n")
    place = locate(root, path)
    assert (place.line, place.column) == expected


SECRET = "- {apiVersion: v1, kind: Secret, metadata: {name: db}}\n"
LIST = "apiVersion: v1\nkind: List\nitems:\n- " + GOOD.replace("\n", "\n  ").rstrip() + "\n" + SECRET


def _names(*paths: Path) -> tuple[list[str], list[str]]:
    """The services, and the notes, without their folder."""
    notes: list[str] = []
    found = [document.name for document in read([str(path) for path in paths], notes.append)]
    return found, [note.rpartition("/")[2] for note in notes]


@pytest.mark.parametrize("kind", ["List", "HardenedServiceList"])
def test_a_list_is_read_as_its_items(tmp_path: Path, kind: str) -> None:
    (tmp_path / "api.yaml").write_text(LIST.replace("kind: List", f"kind: {kind}"))
    assert _names(tmp_path / "api.yaml") == (["api"], ["api.yaml:9: Secret db is no HardenedService: apply it with kubectl"])


def test_a_fault_in_a_list_is_named_where_it_stands(tmp_path: Path) -> None:
    [said] = _read(tmp_path, LIST.replace(":1.0", ""))
    assert said.startswith("api.yaml:8:5: spec.image: an image needs a digest")


def test_other_kinds_are_passed_over_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("kind: Service\napiVersion: v1\nmetadata: {name: x}\n---\n" + GOOD + "---\nkind: Secret\n")
    assert _names(tmp_path / "all.yaml") == (
        ["api"],
        [
            "all.yaml:1: Service x is no HardenedService: apply it with kubectl",
            "all.yaml:11: Secret is no HardenedService: apply it with kubectl",
        ],
    )


def test_a_folder_is_its_own_manifests_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.json"):
        (tmp_path / name).write_text(GOOD.replace("name: api", f"name: {name[0]}"))
    (tmp_path / "README.md").write_text("# no manifest")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "deeper.yaml").mkdir()
    (tmp_path / "link.yaml").symlink_to(tmp_path / "elsewhere.txt")
    (tmp_path / "elsewhere.txt").write_text(GOOD.replace("name: api", "name: linked"))
    assert _names(tmp_path)[0] == ["a", "b", "c", "linked"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda p: p.symlink_to(p), "Too many levels of symbolic links", id="a link to itself"),
        pytest.param(lambda p: p.symlink_to("/no/such/file"), "No such file or directory", id="a link to nothing"),
        pytest.param(lambda p: p.symlink_to("/dev/zero"), "is no regular file", id="a device without end"),
        pytest.param(os.mkfifo, "is no regular file", id="a pipe that nobody writes to"),
    ],
)
def test_what_a_folder_cannot_be_read_with_is_named_at_once(tmp_path: Path, make: Any, said: str) -> None:
    make(tmp_path / "x.yaml")
    with pytest.raises(CommandEnd, match=said) as caught:
        read([str(tmp_path)])
    assert caught.value.code == 2


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", ""])
def test_what_is_named_and_is_no_text_is_a_usage_error(path: str) -> None:
    with pytest.raises(CommandEnd) as caught:
        read([path])
    assert caught.value.code == 2


def test_a_folder_without_manifests(tmp_path: Path) -> None:
    with pytest.raises(CommandEnd, match=r"there is no file in .* that ends in \.yaml, \.yml, \.json"):
        read([str(tmp_path)])
