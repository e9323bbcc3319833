"""Specs at the edge of what is valid: whether each is taken is not said here; that everybody says the same is."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.api.bad_specs import Field, fields

_TEXTS = (
    "", "a", "A", "0", "a-b", "a.b", "a_b", "a..b", "a--b", ".a", "..a", "-a", "a b", "a:b", "a@b", "/", "/a", "/a/", "//a", "/a//b", "/a/./b", "/a/../b", "/.a",
    "a/b", "a/b/c", "A/b", "a.b/c", "1", "1m", "0.001", "0.5m", "1.5Gi", "999P", "1000P", "999999999Gi", "999999999999999", "25%", "100%", "http", "a1", "1a",
    "10.0.0.0/8", "10.0.0.1/8", "::/0", "0.0.0.0/0", "FD00::/8", "metadata.labels['a.b/c']", "metadata.labels['a/b/c']", "status.podIPs", "limits.memory",
    "requests.ephemeral-storage", "\u202e", "\u0661", "é", "日本", "\U0001f600", "a\tb", "a\nb", "$(A)", "{{ a }}", "%2e%2e", "?a=b", "a.b:1/c/d:1.2-3_4",
    "a__b:1", "a___b:1", "a.:1", "a:1@sha256:" + "a" * 64, "a@sha256:" + "a" * 63, "a:" + "b" * 128, "a:" + "b" * 129,
    "1ms", "500ms", "999ms", "1s", "30s", "29999ms", "1m", "60s", "5m", "10m", "600001ms", "1h", "59m60s", "24h", "1439m60s", "1s1s", "1s1m", "00030s",
    "720h", "a:65535", "a:1", "0:1", "/a?b", "/?", "/a/?b/c", "/a;b", "/%0d%0a", "/a b",
    "30 3 * * *", "* * * * *", "*/5 0-6/2,12 1,15 JAN-MAR MON-FRI", "59/59 23 31 12 6", "0 0 31 2 MON", "0 0 31 2 *", "0 0 30,31 FEB *", "0 0 30-31/1 2 *",
    "0 0 31 4,SEP *", "0 0 31 */2 *", "0 0 * * 7", "60 * * * *", "* * * *", "* * * * * *", "@daily", "5-3 * * * *", "0 0 * * 6-0", "0 0 * * MON,", "0  0 * * *",
    "Europe/Berlin", "Etc/UTC", "UTC", "GMT+0", "Local", "Mars/Base", "America", "+02:00", "Etc/GMT+2",
)  # fmt: skip


@cache
def edge_specs() -> dict[str, str]:
    """name -> spec, as JSON text."""
    return {
        f"{field.path} = {json.dumps(value)[:40]} #{i}": field.holding(value)
        for field in fields()
        for i, value in enumerate(_values(field))
    }


def _values(field: Field) -> Iterator[Any]:
    schema = field.schema
    yield None
    if "enum" in schema:
        yield from schema["enum"]
    elif schema.get("x-kubernetes-int-or-string") or schema["type"] == "string":
        yield from _TEXTS
        yield from (text * (schema["maxLength"] // len(text)) for text in ("a", "/a") if "maxLength" in schema)
        if "minimum" in schema:
            yield from (schema["minimum"], schema["maximum"])
    elif schema["type"] == "integer":
        yield from (schema["minimum"], schema["maximum"], (schema["minimum"] + schema["maximum"]) // 2)
    elif schema["type"] == "number":
        yield from (schema["minimum"], schema["maximum"], 0, 1, 0.001, -0.0)
    elif schema["type"] == "boolean":
        yield from (True, False)
    elif schema["type"] == "array":
        yield []
    elif "properties" in schema:
        yield {}
        yield from ({name: None} for name in schema["properties"])
    else:
        yield from _maps(schema)


def _maps(schema: dict[str, Any]) -> Iterator[Any]:
    value: Any = 1 if schema["additionalProperties"].get("x-kubernetes-int-or-string") else ""
    yield from ({}, {"a": None})
    keys = (*_TEXTS, "cpu", "memory", "example.com/gpu", "a" * 63, "a" * 64, "a." * 90 + "a/" + "b" * 63, "a" * 251, "a" * 252, "a" * 254)
    yield from ({key: value} for key in keys if not re.search("[\ud800-\udfff]", key))
