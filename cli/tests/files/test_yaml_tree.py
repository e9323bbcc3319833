"""What a YAML text means, and which texts are refused."""

from typing import Any

import pytest
from kubectl_scalars import FACTS

from hardenctl.files.yaml_tree import BadYaml, documents


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: [1, -2, 0x1f, 0o17, 017, 1_000, 1.5, 1e3]", {"a": [1, -2, 31, 15, 15, 1000, 1.5, 1000.0]}, id="numbers"),
        pytest.param("a: [yes, Off, true, ~, null]", {"a": [True, False, True, None, None]}, id="words that are not text"),
        pytest.param(
            "a: ['y', 1:30, 2020-01-01, 08, 1.2.3, '7', \"on\"]", {"a": ["y", "1:30", "2020-01-01", 8.0, "1.2.3", "7", "on"]}, id="text"
        ),
        pytest.param("a: [0x_, -0x_, 0b_, 0o_, 0x_f, 0b_1, 0_]", {"a": ["0x_", "-0x_", "0b_", "0o_", 15, 1, 0]}, id="numbers need a digit"),
        pytest.param("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"d": 2, "b": 1}}, id="merge keys"),
        pytest.param("a: &x {b: 1}\nc: {b: 2, <<: *x}", {"a": {"b": 1}, "c": {"b": 2}}, id="a merged key never wins"),
        pytest.param('{"a": {"b": [null]}}', {"a": {"b": [None]}}, id="JSON is YAML"),
    ],
)
def test_a_document_is_read(text: str, expected: Any) -> None:
    assert [node.plain() for node in documents(text)] == [expected]


@pytest.mark.parametrize("text", FACTS)
def test_a_plain_scalar_means_what_it_means_to_kubectl(text: str) -> None:
    (found,) = documents(f"a: {text}")
    value = found.plain()["a"]
    assert (value, isinstance(value, bool)) == (FACTS[text], isinstance(FACTS[text], bool))


@pytest.mark.parametrize("text", FACTS)
def test_in_quotes_it_is_a_text(text: str) -> None:
    assert [found.plain() for found in documents(f"a: '{text}'")] == [{"a": text}]


@pytest.mark.parametrize("text", ["", "---\n---\n", "# nothing\n", "~"])
def test_empty_documents_are_left_out(text: str) -> None:
    assert list(documents(text)) == []


def _bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 1\nb: 2\na: 3", "3:1 the key a is here twice; it was first in line 1", id="a key twice"),
        pytest.param("a: !!str 1", "1:4 the tag str is not allowed: manifests are plain data", id="a tag of YAML's own"),
        pytest.param(
            "a: !!python/object/apply:os.system [ls]", "1:4 the tag python/object/apply:os.system is not allowed", id="a tag that runs"
        ),
        pytest.param("a: !x {}", "1:4 the tag !x is not allowed", id="a local tag"),
        pytest.param("&a [*a]", "1:5 *a refers to no complete value before it", id="a value within itself"),
        pytest.param("1: x", "1:1 the key 1 is not a string: quote it", id="a number as key"),
        pytest.param("true: x", "1:1 the key true is not a string: quote it", id="a word that is not text as key"),
        pytest.param("y: x", "1:1 the key y is not a string: quote it", id="a letter that is not text as key"),
        pytest.param("a: .inf", "1:4 .inf is not a number that JSON can hold", id="infinity"),
        pytest.param("a: 1e999", "1:4 1e999 is not a number that JSON can hold", id="a number without bound"),
        pytest.param("a: [b", "2:1 not YAML: did not find expected ',' or ']'", id="a bracket left open"),
        pytest.param("a:\n\tb: 1", "2:1 not YAML: found character that cannot start any token", id="a tab"),
        pytest.param("a: \x01", "1:1 not YAML: ", id="a control character"),
        pytest.param("[" * 5000, "1:65 nested more than 64 levels deep", id="deep nesting"),
        pytest.param("- " * 5000, "1:129 nested more than 64 levels deep", id="deep nesting of blocks"),
        pytest.param(_bomb(), "5:", id="aliases that multiply"),
    ],
)
def test_a_text_is_refused_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(BadYaml) as caught:
        list(documents(text))
    place = caught.value.place
    assert f"{place.line}:{place.column} {caught.value.message}".startswith(expected)
