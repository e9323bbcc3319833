"""What the images of a stack, its chart and the command that installs it say of each other is the same."""

import re

import pytest
import yaml

from e2e.stack import CHARTS, PARTS, PASSWORDS
from e2e.workloads.bookmarks import LIBRARIES, SOURCE
from e2e.workloads.build import part_name


@pytest.mark.parametrize("stack", PARTS)
def test_the_chart_names_the_images_that_are_built(stack: str) -> None:
    values = yaml.safe_load((CHARTS / stack / "values.yaml").read_text())
    assert values["images"] == {part: part_name(part) for part in PARTS[stack]}


@pytest.mark.parametrize("stack", PARTS)
def test_the_passwords_that_are_made_are_those_that_the_chart_reads_and_none_has_a_default(stack: str) -> None:
    templates = "".join(path.read_text() for path in sorted((CHARTS / stack / "templates").iterdir()))
    assert set(re.findall(r"key: ([a-z-]+password)", templates)) == set(PASSWORDS[stack])
    secret = yaml.safe_load((CHARTS / stack / "values.yaml").read_text())["secret"]
    assert secret == {"name": "", "create": False, "postgresPassword": "", "redisPassword": ""}


def test_the_image_of_the_bookmark_service_has_the_packages_that_its_tests_run_with() -> None:
    text = (SOURCE / "Dockerfile").read_text()
    assert set(re.findall(r"python3[a-z-]*(?=[ \\\n])", text.partition("install")[2].partition("&&")[0])) == set(LIBRARIES.values())
