"""What is hidden in a support bundle, and what stays to be read."""

import json
import string
from typing import Any

import pytest
from hardenctl_world import REVISION, stored
from hypothesis import given
from hypothesis import strategies as st

from hardenctl.reporting.redaction import HIDDEN, redacted, redacted_text, secrets_of

#: Found nowhere but where a test puts it.
SECRETS = st.text(string.ascii_uppercase + string.digits, min_size=12, max_size=24).map(lambda text: f"Q{text}Z")
WORDS = st.sampled_from(["shop", "web", "env", "ports", "name", "status", "message", "replicas", "data", "files", "annotations", "kind"])
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "shop", "a b", "http://shop:8080/", "Ready"])
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=12)

#: By what it is, an object that holds a secret in a place where it is hidden whatever it looks like.
PLACES: dict[str, Any] = {
    "a variable": lambda s: {"spec": {"env": [{"name": "GREETING", "value": s}]}},
    "a variable of a container": lambda s: {"spec": {"template": {"spec": {"containers": [{"env": [{"name": "A", "value": s}]}]}}}},
    "a header": lambda s: {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": s}]}},
    "a file": lambda s: {"spec": {"files": [{"mountPath": "/etc/web", "data": {"app.toml": s}}]}},
    "a ConfigMap": lambda s: {"kind": "ConfigMap", "data": {"a": s}, "binaryData": {"b": s}},
    "a Secret": lambda s: {"kind": "Secret", "data": {"a": s}, "stringData": {"b": s}},
    "kubectl's copy": lambda s: {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"a": s})}}},
    "another tool's copy": lambda s: {"metadata": {"annotations": {"kapp.example/original": json.dumps({"a": s})}}},
    "an annotation with a telling name": lambda s: {"metadata": {"annotations": {"example.com/token": s}}},
    "what a container said": lambda s: {"status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 1, "message": s}}}]}},
    "what it said before": lambda s: {"lastState": {"terminated": {"message": s}}},
    "a field with a telling name": lambda s: {"token": s},
    "a flag of a command": lambda s: {"command": ["run", "--db-password", s, "--verbose"]},
    "a flag with its value": lambda s: {"args": [f"--api-token={s}"]},
    "the password of a URL": lambda s: {"message": f"cannot reach postgres://shop:{s}@db:5432/shop"},
    "a bearer token": lambda s: {"message": f"sent Authorization: Bearer {s}"},
    "a variable in a message": lambda s: {"reason": f"DB_PASSWORD={s} was refused"},
    "a stored revision": lambda s: {
        **stored(
            REVISION, 1, "registry.example/api:1.0", env=[{"name": "A", "value": s}], files=[{"mountPath": "/etc/a", "data": {"b": s}}]
        ),
        "kind": "ControllerRevision",
    },
    "a forged revision": lambda s: {"kind": "ControllerRevision", "data": {"scheme": "1", "password-file": s}},
}


@pytest.mark.parametrize("place", PLACES)
@given(secret=SECRETS, around=JSON)
def test_a_secret_is_found_nowhere(place: str, secret: str, around: Any) -> None:
    whole = {"before": around, "object": PLACES[place](secret), "after": [around]}
    found = redacted(whole)
    assert secret not in json.dumps(found.value)
    assert any(path.startswith("object") for path in found.hidden)


@pytest.mark.parametrize("place", PLACES)
@given(secret=SECRETS)
def test_what_was_redacted_stays_as_it_is(place: str, secret: str) -> None:
    once = redacted(PLACES[place](secret))
    again = redacted(once.value)
    assert (again.value, again.hidden) == (once.value, ())


@given(JSON)
def test_nothing_but_values_is_hidden(value: Any) -> None:
    def is_like(new: Any, old: Any) -> bool:
        if isinstance(old, dict):
            return (
                isinstance(new, dict) and list(new) == list(old) and all(is_like(new[key], old[key]) or new[key] == HIDDEN for key in old)
            )
        if isinstance(old, list):
            return isinstance(new, list) and len(new) == len(old) and all(map(is_like, new, old))
        return bool(new == old)

    found = redacted(value)
    assert is_like(found.value, value)
    assert (found.value == value) == (found.hidden == ())


@given(SECRETS, st.sampled_from(["DB_PASSWORD", "API_KEY", "token", "AUTH_TOKEN"]))
def test_the_value_of_a_telling_variable_is_hidden_wherever_it_stands(secret: str, name: str) -> None:
    known = secrets_of({"env": [{"name": name, "value": secret}]})
    assert secret not in redacted_text(f"connecting with {secret}\nand again:{secret}.", known).value
    assert secret not in json.dumps(redacted({"status": {"message": f"refused {secret}"}}, known).value)


@given(SECRETS)
def test_so_is_the_password_of_a_url(secret: str) -> None:
    known = secrets_of({"env": [{"name": "DSN", "value": f"postgres://shop:{secret}@db/shop"}]})
    assert known == {secret}
    assert secret not in redacted_text(f"login failed: {secret}", known).value


def test_the_value_of_any_other_variable_is_not_looked_for_in_texts() -> None:
    assert secrets_of({"env": [{"name": "LEVEL", "value": "information"}, {"name": "DB_PASSWORD", "value": "abc"}]}) == frozenset()


@given(st.text(alphabet=string.printable, max_size=300), st.sets(SECRETS, max_size=3))
def test_a_log_keeps_its_lines(text: str, known: set[str]) -> None:
    found = redacted_text(text, frozenset(known))
    assert found.value.count("\n") == text.count("\n")
    changed = [str(at) for at, (old, new) in enumerate(zip(text.split("\n"), found.value.split("\n"), strict=True), 1) if old != new]
    assert list(found.hidden) == changed


@pytest.mark.parametrize(
    "line",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nQ1SECRET\nQ1SECRET\n-----END RSA PRIVATE KEY-----",
        "jwt eyJhbGciOiJIUzI1NiJ9.eyJQ1SECRET.Q1SECRET",
        "Authorization: Basic Q1SECRET==",
        'json {"password": "Q1SECRET", "user": "shop"}',
        "yaml secret_key: Q1SECRET",
        "url https://bob:Q1SECRET@example.com/",
        "aws AKIAQ1SECRETABCDEFGH",
        "x-api-key=Q1SECRET;",
        "level:password=Q1SECRET",
        "token: 'Q1SECRET'",
    ],
)
def test_secrets_of_many_forms(line: str) -> None:
    found = redacted_text(f"first\n{line}\nlast").value
    assert "Q1SECRET" not in found
    assert found.startswith("first\n")
    assert found.endswith("\nlast")


@pytest.mark.parametrize(
    "kept",
    [
        {"metadata": {"name": "web", "annotations": {"hardened.dev/rejected": '[{"key":"k2","reason":"CheckFailed"}]'}}},
        {"spec": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}]}},
        {"spec": {"volumes": [{"name": "tls", "secret": {"secretName": "cert"}}], "automountServiceAccountToken": False}},
        {"spec": {"tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]}},
        {"status": {"release": {"key": "k2"}, "conditions": [{"type": "Ready", "message": "0 of 2 pods can take requests"}]}},
        {"message": 'pods "web-1" is forbidden: secret "db" not found'},
        {"message": "Get http://shop.example:8080/health: connection refused"},
        {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        {"command": ["sh", "-c", "sleep 5"], "image": "registry.example/web@sha256:" + "ab" * 32},
    ],
)
def test_what_support_needs_stays(kept: Any) -> None:
    found = redacted(kept)
    assert (found.value, found.hidden) == (kept, ())


def test_a_key_whose_end_is_missing_hides_all_that_follows() -> None:
    assert redacted_text("first\n-----BEGIN PRIVATE KEY-----\nQ1SECRET\nlast").value == f"first\n{HIDDEN}\n\n"


def test_a_stored_revision_keeps_its_form_and_its_place_of_what_is_hidden() -> None:
    live = {**stored(REVISION, 1, "registry.example/api:1.0", env=[{"name": "A", "value": "hello"}]), "kind": "ControllerRevision"}
    found = redacted([live])
    assert found.value[0]["data"]["fields"]["image"] == "registry.example/api:1.0"
    assert found.value[0]["data"]["scheme"] == live["data"]["scheme"]
    assert "[0].data.fields.env[0].value" in found.hidden


def test_a_line_of_one_long_word_takes_no_time() -> None:
    import time

    for word in ("a" * 300_000, "token" * 60_000, "eyJ" * 100_000, "a://" * 75_000, "-----BEGIN PRIVATE KEY-----" * 10_000):
        began = time.process_time()
        redacted_text(word)
        assert time.process_time() - began < 5
