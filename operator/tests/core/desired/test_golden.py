"""Every child of three samples, whole. Regenerate: PYTHONPATH=operator .venv/bin/python operator/tests/core/desired/test_golden.py"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from hardened.api.parse import parse
from hardened.core.desired.children import at_rest
from hardened.core.hardening.catalog import gaps
from hardened.core.revisions.revision import render

FOLDER = Path(__file__).parent / "golden"
SAMPLES = ["minimal", "web", "worker"]


class _Plain(yaml.SafeDumper):
    """YAML without anchors: a manifest that holds one part twice shows it twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def children(sample: str) -> list[dict[str, Any]]:
    svc = parse(yaml.safe_load((FOLDER / f"{sample}.yaml").read_text()))
    return at_rest(svc, render(svc), svc.spec.replicas or 0)


def text(sample: str) -> str:
    return yaml.dump_all(children(sample), Dumper=_Plain, sort_keys=False, width=140, allow_unicode=True)


@pytest.mark.parametrize("sample", SAMPLES)
def test_children_are_as_they_were(sample: str) -> None:
    assert text(sample) == (FOLDER / f"{sample}.children.yaml").read_text()


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_two_manifests_share_a_part(sample: str) -> None:
    """A part that two manifests share would let a change of one reach the other."""
    made = children(sample)
    before = text(sample)
    for manifest in made:
        manifest["metadata"]["labels"]["changed"] = "yes"
        manifest["metadata"].get("ownerReferences", [{}])[0]["changed"] = "yes"
        manifest.get("spec", {})["changed"] = "yes"
    others = [m["metadata"]["labels"] for m in made]
    assert len({id(labels) for labels in others}) == len(others)
    assert text(sample) == before


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_services_own_labels_and_annotations_are_never_copied(sample: str) -> None:
    for manifest in children(sample):
        assert "argocd.argoproj.io/instance" not in str(manifest["metadata"])
        assert "owner@" not in str(manifest)


def test_the_full_sample_leaves_only_the_gap_that_it_asks_for() -> None:
    svc = parse(yaml.safe_load((FOLDER / "web.yaml").read_text()))
    assert gaps(svc) == ["a secret in an environment variable (mount it with volumes)"]


if __name__ == "__main__":
    for name in SAMPLES:
        (FOLDER / f"{name}.children.yaml").write_text(text(name))
