"""`render` prints the same text for the same file, until somebody means to change it."""

from pathlib import Path
from typing import Any

import yaml

from hardenctl.deploying.wanted import wanted
from hardenctl.files.manifest_file import read

GOLDEN = Path(__file__).parent / "golden"


def test_a_worker_renders_as_recorded(run: Any) -> None:
    shown = run(None, "render", "-f", str(GOLDEN / "worker.yaml"), "-n", "shop")
    assert shown.exit_code == 0
    assert shown.stdout == (GOLDEN / "worker.rendered.yaml").read_text()


def test_the_text_reads_back_as_the_children(run: Any) -> None:
    path = str(GOLDEN / "worker.yaml")
    [document] = read([path])
    text = run(None, "render", "-f", path).stdout
    assert [child for child in yaml.safe_load_all(text) if child] == wanted(document.body, "default")


def test_a_file_is_needed(run: Any) -> None:
    assert run(None, "render").exit_code == 2
