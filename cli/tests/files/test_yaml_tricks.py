"""Tricks of YAML: each is refused with its own cause, or read as kubectl reads it; whatever is in a file, in bounded time and memory."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hardenctl.files.manifest_file import read
from hardenctl.files.yaml_tree import BadYaml, documents
from hardenctl.output.formats import as_yaml
from hardenctl.output.outcome import CommandEnd

HEAD = "apiVersion: hardened.dev/v1alpha1\nkind: HardenedService\nmetadata: {name: api}\nspec:\n  image: registry.example/api:1.0\n"


def _spec(more: str) -> str:
    return HEAD + f"  {more}\n"


def _env(value: str) -> str:
    return _spec(f"env: [{{name: A, value: {value}}}]")


def _tag(tag: str) -> str:
    return _spec(f"token: {tag} x")


_TAGS = {
    "!!python/object/apply:os.system": "python/object/apply:os.system",
    "!!python/object/new:os.system": "python/object/new:os.system",
    "!!python/name:os.system": "python/name:os.system",
    "!!python/module:os": "python/module:os",
    "!!binary": "binary",
    "!!set": "set",
    "!!omap": "omap",
    "!!timestamp": "timestamp",
    "!!float": "float",
    "!!null": "null",
    "!include": "!include",
    "!": "!",
    "!<tag:yaml.org,2002:js/function>": "js/function",
}
_NO_TEXT = ["y", "N", "yes", "No", "on", "OFF", "true", "FALSE", "5", "0x1f", "0o17", "017", "1e3", "1_000", ".5", "-0"]
_TEXT = {"1:30": "1:30", "2020-01-01": "2020-01-01", "1.2.3": "1.2.3", "0x": "0x", "yEs": "yEs", "'y'": "y", '"no"': "no", "'~'": "~"}

REFUSED = [
    *(pytest.param(_tag(tag), f"the tag {name} is not allowed", id=f"tag {tag}") for tag, name in _TAGS.items()),
    *(pytest.param(_env(text), "spec.env[0].value", id=f"no text: {text}") for text in _NO_TEXT),
    pytest.param(_env(".inf"), ".inf is not a number that JSON can hold", id="infinity"),
    pytest.param(_env("-.INF"), "-.INF is not a number", id="less than all"),
    pytest.param(_env(".NaN"), ".NaN is not a number", id="not a number"),
    pytest.param(_env("1e999"), "1e999 is not a number", id="beyond all"),
    pytest.param(_spec("replicas: " + "9" * 5000), "is not a number that JSON can hold", id="5000 digits"),
    pytest.param(_spec("replicas: 18446744073709551616"), "spec.replicas", id="more than 64 bits"),
    pytest.param(_spec("replicas: 1.5"), "spec.replicas: must be a whole number", id="half a pod"),
    pytest.param(_spec("replicas: '3'"), "spec.replicas: must be a whole number", id="a number in quotes"),
    pytest.param(_spec("replicas: y"), "spec.replicas: must be a whole number", id="yes pods"),
    pytest.param(_spec("image: b:2"), "the key image is here twice; it was first in line 5", id="a key twice"),
    pytest.param(HEAD + '"spec": {image: "b:2"}\n', "the key spec is here twice", id="a key twice, once in quotes"),
    pytest.param(HEAD.replace("{name: api}", "{name: api, ? name : b}"), "the key name is here twice", id="a key twice, once explicit"),
    pytest.param(_spec("y: 1"), "the key y is not a string: quote it", id="Norway as a key"),
    pytest.param(_spec("1: 1"), "the key 1 is not a string", id="a number as a key"),
    pytest.param(_spec("~: 1"), "the key ~ is not a string", id="nothing as a key"),
    pytest.param(_spec("? [a]\n  : 1"), "is not a string: quote it", id="a list as a key"),
    pytest.param(_spec("? {a: b}\n  : 1"), "is not a string: quote it", id="a map as a key"),
    pytest.param(_spec("<<: 5"), "<< needs a mapping", id="a number merged"),
    pytest.param(_spec("<<: [{replicas: 1}, 5]"), "<< needs a mapping", id="a list merged with a number in it"),
    pytest.param(_spec("<<: *nobody"), "*nobody refers to no complete value before it", id="an alias of nothing"),
    pytest.param(_spec("podMetadata: &a {labels: *a}"), "*a refers to no complete value", id="a value within itself"),
    pytest.param("a: &a x\n---\n" + _spec("token: *a"), "*a refers to no complete value", id="an anchor of another document"),
    pytest.param("&a " * 3 + "x", "not YAML", id="two anchors of one value"),
    pytest.param("[" * 65, "nested more than 64 levels deep", id="deep in brackets"),
    pytest.param("{a: " * 65, "nested more than 64 levels deep", id="deep in braces"),
    pytest.param("- " * 65, "nested more than 64 levels deep", id="deep in dashes"),
    pytest.param("? " * 65, "nested more than 64 levels deep", id="deep in questions"),
    pytest.param("---\n" * 10_001, "more than 10,000 documents", id="many documents"),
    pytest.param("[" + "1," * 100_001 + "]", "more than 100,000 values", id="many values"),
    pytest.param("%YAML 3.0\n---\n" + HEAD, "not YAML: found incompatible YAML document", id="a YAML of the future"),
    pytest.param("%TAG ! a\n%TAG ! b\n---\n" + HEAD, "not YAML: found duplicate %TAG directive", id="a directive twice"),
    pytest.param(_spec("token: !e!x y"), "not YAML: found undefined tag handle", id="a handle that nobody defined"),
    pytest.param(HEAD + "\ttoken: x\n", "not YAML", id="a tab"),
    pytest.param(_spec('token: "\\xzz"'), "not YAML", id="an escape that is none"),
    pytest.param(_spec('token: "\\ud800"'), "not YAML", id="half a character"),
    pytest.param(_spec("token: a\x07b"), "not YAML", id="a bell"),
    pytest.param(_spec("token: 'open"), "not YAML", id="a quote left open"),
    pytest.param(_spec("token: @x"), "not YAML", id="a reserved sign"),
    pytest.param(_spec("token: `x`"), "not YAML", id="a reserved quote"),
    pytest.param(_spec("token: a: b"), "not YAML", id="a map in a line"),
    pytest.param("{{ .Values.all }}\n", "is not a string: quote it", id="a template"),
    pytest.param("<<<<<<< HEAD\n" + HEAD, "not YAML", id="a conflict of Git"),
    pytest.param(HEAD.replace("kind", "k\u0131nd"), "kind: Required value", id="a letter that looks like one"),
    pytest.param(HEAD.replace("api}", "api\u202e}"), "metadata.name: must begin with a lower case letter", id="text from right to left"),
    pytest.param(HEAD.encode("utf-16"), "UTF-16", id="UTF-16"),
    pytest.param(b"\xfe\xff" + HEAD.encode("utf-16-be"), "UTF-16", id="UTF-16, the other way round"),
    pytest.param(HEAD.encode() + b"\0", "zero bytes", id="a zero byte"),
    pytest.param(HEAD.encode() + b"# \xc0\x80", "byte 0xc0", id="a zero byte in disguise"),
    pytest.param(HEAD.replace("metadata: {name: api}", "metadata: {name: y}"), "metadata.name: must be a string", id="called yes"),
    pytest.param(HEAD.replace("{name: api}", "{name: api, labels: {on: x}}"), "the key on is not a string", id="a label called on"),
    pytest.param(HEAD.replace("{name: api}", "{name: api, labels: {v: 1.10}}"), "metadata.labels.v: must be a string", id="a version"),
    pytest.param(HEAD.replace("{name: api}", "{name: api, namespace: 5}"), "metadata.namespace: must be a string", id="a number"),
    pytest.param("kind: HardenedService\napiVersion: hardened.dev/v1alpha1\nmetadata: null\nspec: {}\n", "metadata: Required", id="nulls"),
]

READ = [
    *(pytest.param(_env(text), {"env": [{"name": "A", "value": value}]}, id=f"text: {text}") for text, value in _TEXT.items()),
    pytest.param("\ufeff" + _spec("token: x"), {"token": "x"}, id="a mark of the byte order"),
    pytest.param(_spec("token: x").replace("\n", "\r\n"), {"token": "x"}, id="lines of Windows"),
    pytest.param(_spec("token: x").replace("\n", "\r"), {"token": "x"}, id="lines of long ago"),
    pytest.param("---\n---\n" + _spec("token: x") + "---\n...\n", {"token": "x"}, id="empty documents"),
    pytest.param(_spec("token: x # y"), {"token": "x"}, id="a comment"),
    pytest.param(_spec("token: 'x # y'"), {"token": "x # y"}, id="no comment"),
    pytest.param(_spec("token: >-\n    a\n    b"), {"token": "a b"}, id="folded"),
    pytest.param(_spec('token: "\\u00e9"'), {"token": "é"}, id="an escape"),
    pytest.param(_spec("&a token: &b x"), {"token": "x"}, id="anchors that nobody uses"),
    pytest.param(_spec("<<: {token: x, image: other:1}"), {"token": "x"}, id="a merge that must not win"),
    pytest.param(_spec("replicas: 0x3"), {"replicas": 3}, id="three in hex"),
    pytest.param(_spec("replicas: 03"), {"replicas": 3}, id="three in octal"),
    pytest.param(_spec("replicas: 3 "), {"replicas": 3}, id="a space after it"),
    pytest.param(
        json.dumps({**yaml.safe_load(HEAD), "spec": {"image": "registry.example/api:1.0", "token": "x"}}), {"token": "x"}, id="JSON"
    ),
]


def _file(folder: Path, text: str | bytes) -> str:
    path = folder / "api.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    return str(path)


@pytest.mark.parametrize(("text", "cause"), REFUSED)
def test_a_trick_is_refused_with_its_own_cause(tmp_path: Path, text: str | bytes, cause: str) -> None:
    with pytest.raises(CommandEnd) as caught:
        read([_file(tmp_path, text)])
    assert caught.value.code == 2
    assert cause in caught.value.message
    assert len(caught.value.message) < 5000


@pytest.mark.parametrize(("text", "more"), READ)
def test_what_is_meant_as_data_is_read_as_kubectl_does(tmp_path: Path, text: str, more: dict[str, Any]) -> None:
    [document] = read([_file(tmp_path, text)])
    assert document.body["spec"] == {"image": "registry.example/api:1.0", **more}


_ODD = st.sampled_from(list("yn0x1_.:~-'\"#&*!{}[]<"))
_TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t") | st.sampled_from(list("yn0x1_.:~-'\"#&*!{}[]<"))
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(_TEXTS, _VALUES, min_size=1, max_size=4), st.booleans())
def test_what_was_written_as_data_comes_back_as_it_was(value: dict[str, Any], is_json: bool) -> None:
    text = json.dumps(value, ensure_ascii=False) if is_json else as_yaml(value)
    assert [node.plain() for node in documents(text)] == [value]


_WORDS = (
    "a|b: |- |? |: |\n|\n  |\n    |&x |*x|!!str |!t |'|\"|{|}|[|]|,|>-\n  |<<: |# c\n|---\n|...\n|y|1e3|~|\t|%YAML 1.1\n|"
    "\ufeff|\u2028|é|key: value\n|\\"
)
_PIECES = st.sampled_from([*_WORDS.split("|"), "|\n  "])


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_text_is_refused_with_a_place_or_has_the_shape_that_yaml_gives_it(text: str) -> None:
    refusal = None
    try:
        found = list(documents(text))
    except BadYaml as error:
        refusal = error
    if refusal:
        assert refusal.message
        assert refusal.place.line >= 1
    elif "<<" not in text:  # PyYAML alone, with all scalars as text, does not know of merges
        expected = [_shape(each) for each in yaml.load_all(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))]
        assert [shape for node in found if (shape := _shape(node.plain())) is not None] == [each for each in expected if each is not None]


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(each) for key, each in value.items()}
    return [_shape(each) for each in value] if isinstance(value, list) else None


SIZE = 3 * 1024 * 1024
NASTY = {
    "documents": "---\na: 1\n" * (SIZE // 10),
    "brackets": "[" * (SIZE - 1),
    "values": "[" + "1," * (SIZE // 2 - 2) + "]",
    "unknown fields": HEAD + "".join(f"  field{at}: 1\n" for at in range(45_000)),
    "unknown metadata": HEAD.replace("{name: api}", "{name: api, " + ", ".join(f"labelz{at}: 1" for at in range(45_000)) + "}"),
    "aliases": "a: &a [x]\n" + "".join(f"b{at}: *a\n" for at in range(180_000)),
    "digits": HEAD + "  replicas: " + "9" * (SIZE - 300),
    "underscores": HEAD + "  replicas: 0b" + "_" * (SIZE - 300) + "g",
    "one name": "---\n".join(HEAD for _ in range(20_000)),
}
PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from hardenctl.files.manifest_file import read
from hardenctl.output.outcome import CommandEnd
try:
    read(sys.argv[1:])
except CommandEnd as end:
    print(len(end.message))
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="bounds of a process")
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_the_largest_file_takes_bounded_time_and_memory(tmp_path: Path, text: str) -> None:
    argv = [sys.executable, "-c", PROGRAM, _file(tmp_path, text[: SIZE - 1])]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={"PYTHONPATH": ":".join(sys.path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < 20_000
