"""Twenty real-world sources, five of each kind: what comes of them, and what is said of the rest, is as recorded and as looked at.

`HARDENED_RECORD=1 pytest PATH` records them anew.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from hardenctl.converting.sources import converted
from hardenctl.files.manifest_file import read
from hardened.api.parse import parse
from hardened.core.hardening.catalog import findings
from hardened.core.hardening.check import Subject

FOLDER = Path(__file__).parent
EXAMPLES = sorted((FOLDER / "examples").glob("*.yaml"))
#: Of those whose source names none.
IMAGES = {"ingress-alone": ("docs=registry.example/docs:2.4",)}
SECRETS = ("correct-horse", "change-me-please", "shop:secret")


def shown(run: Any, path: Path, *more: str) -> Any:
    images = [part for image in IMAGES.get(path.stem, ()) for part in ("--image", image)]
    return run(None, "init", "--from", str(path), *images, *more)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_what_comes_of_it_is_as_recorded(run: Any, path: Path) -> None:
    found, recorded = shown(run, path), FOLDER / "recorded" / f"{path.stem}.txt"
    assert found.exit_code == 0, found.stderr
    text = f"{found.stdout}\n# On stderr:\n{found.stderr}"
    if os.environ.get("HARDENED_RECORD"):
        recorded.write_text(text)
    assert text == recorded.read_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_parser_takes_it_and_preflight_finds_no_error(run: Any, tmp_path: Path, path: Path) -> None:
    file = tmp_path / "out.yaml"
    assert shown(run, path, "--to", str(file)).exit_code == 0
    documents = read([str(file)])
    assert documents
    services = {each.name: parse(each.body) for each in documents}
    errors = [str(each) for svc in services.values() for each in findings(Subject(svc, services)) if each.check.severity == "error"]
    assert errors == []
    assert run(None, "preflight", "-f", str(file), "--offline").exit_code == 0


def test_no_secret_of_a_source_is_shown(run: Any) -> None:
    texts = [path.read_text() for path in EXAMPLES]
    assert all(any(secret in text for text in texts) for secret in SECRETS), "or nothing is shown here"
    for path in EXAMPLES:
        for output in ("", "json"):
            found = shown(run, path, "-o", output)
            assert not any(secret in found.stdout + found.stderr for secret in SECRETS), path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_service_of_the_result_converts_from_what_kubectl_shows_of_it(path: Path) -> None:
    """What the server adds to objects, such as a status and managed fields, changes nothing."""
    plain = list(yaml.safe_load_all(path.read_text()))
    images = dict(each.split("=", 1) for each in IMAGES.get(path.stem, ()))
    decorated = [_as_shown(each) for each in plain]
    before, after = (converted(each, images) for each in (plain, decorated))
    assert [each.body for each in after[1]] == [each.body for each in before[1]]


def _as_shown(document: Any) -> Any:
    if "kind" not in document:
        return document
    if document["kind"] == "List":
        return {**document, "items": [_as_shown(each) for each in document["items"]]}
    added = {"uid": "0", "resourceVersion": "7", "generation": 2, "creationTimestamp": "2026-01-02T03:04:05Z", "managedFields": []}
    return {**document, "metadata": {**document["metadata"], **added}, "status": {"observedGeneration": 2}}
