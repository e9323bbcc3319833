"""Whatever comes from elsewhere, a terminal is shown text: nothing that drives it, and nothing that turns the text around."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hardenctl_world import FakeCluster, condition, service, state
from hypothesis import example, given
from hypothesis import strategies as st
from kubectl_scalars import FACTS

from hardenctl.files.yaml_tree import documents
from hardenctl.output.console import Console
from hardenctl.output.formats import as_json, as_yaml, printable, table
from hardened.api.text import escaped, is_plain, plain

#: C0, DEL, C1, bidi, invisible, line separators, halves of pairs, beyond 16 bits.
ODD = "\0\x07\x08\r\x1b[2J\x7f\x85\x9b31m\u061c\u200b\u200e\u202a\u202e\u2028\u2029\u2066\u2069\ufeff\U000e0041"
TEXTS = st.text(st.characters() | st.sampled_from(ODD), max_size=20)
OWN_COLORS = re.compile(r"\x1b\[(0|2|31|32|33|36)m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("character", sorted(set(ODD) - set("[2J31m")))
def test_a_character_that_nobody_sees_is_shown_as_its_escape(character: str) -> None:
    assert re.fullmatch(r"a\\(x..|u....|U........|[a-z])b", escaped(f"a{character}b"))


@given(TEXTS)
def test_what_is_shown_can_be_seen(text: str) -> None:
    assert is_plain(printable(text))
    assert is_plain(escaped(text))
    assert is_plain(plain(text))
    assert len(plain(text)) == len(text)
    assert is_plain(table(("A",), [(text,)]))


@given(TEXTS, TEXTS)
@example("", "\ud800")
def test_json_and_yaml_hold_the_same_in_other_words(key: str, text: str) -> None:
    def value(key: str, text: str) -> dict[str, Any]:
        return {key: [text, {"a": text}]}

    assert is_plain(as_json(value(key, text)))
    assert json.loads(as_json(value(key, text))) == value(key, text)
    assert is_plain(as_yaml(value(key, text)))
    assert yaml.safe_load(as_yaml(value(key, text))) == value(_in_yaml(key), _in_yaml(text))


def _in_yaml(text: str) -> str:
    """Half of a pair is no character of YAML: it becomes what the API server and kubectl make of it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(TEXTS | st.sampled_from(sorted(FACTS)) | st.from_regex(r"\A[-+.0-9_xobeEyn]{1,6}\Z"))
@example("\ud800")
def test_what_is_written_as_yaml_is_read_by_kubectl_as_it_was(text: str) -> None:
    (found,) = documents(as_yaml({"env": [{"name": "A", "value": text}], f"k{text}": 1}))
    assert found.plain() == {"env": [{"name": "A", "value": _in_yaml(text)}], f"k{_in_yaml(text)}": 1}


@given(TEXTS, st.booleans())
def test_every_line_of_a_console_can_be_seen(text: str, no_color: bool) -> None:
    out, err = Terminal(), Terminal()
    console = Console(out, err, is_verbose=True, no_color=no_color)
    outlets: tuple[Callable[[str], None], ...] = (
        console.print, console.progress, console.advise, console.trace, console.complain, console.warn,
    )  # fmt: skip
    for say in outlets:
        say(text)
    console.complain("no", hint=text)
    console.print(console.colored(text, "31", out))
    shown = out.getvalue() + err.getvalue()
    assert is_plain(shown if no_color else OWN_COLORS.sub("", shown))


def test_off_a_terminal_no_colour_of_others_goes_through() -> None:
    out = io.StringIO()
    Console(out, io.StringIO()).print("\x1b[31mred")
    assert out.getvalue() == "\\x1b[31mred\n"


@pytest.mark.parametrize("form", ["", "wide", "json", "yaml"])
@pytest.mark.parametrize("verb", ["status", "history"])
def test_no_verb_passes_on_what_the_cluster_says_as_it_is(run: Any, verb: str, form: str) -> None:
    ready = condition("Ready", "False", "CheckFailed", f"it said {ODD}")
    live = service(status=state("Degraded", ready, condition("Available", "False", "x", ODD)))
    live["status"]["serving"]["image"] = f"web:{ODD}"
    shown = run(FakeCluster(live), verb, "api", *(["-o", form] if form else []))
    assert is_plain(shown.stdout + shown.stderr)
