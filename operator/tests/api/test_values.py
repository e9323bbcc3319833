"""Single values, as tables: what is taken, and what is not."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.api.broken_rules import spec

from hardened.api.container import is_pinned
from hardened.api.parse import parse_spec
from hardened.api.quantity import amount, quantity
from hardened.errors import InvalidSpec

DIGEST = "sha256:" + "0123456789abcdef" * 4


def is_taken(given: Any) -> bool:
    try:
        parse_spec(given)
    except InvalidSpec:
        return False
    return True


def _limit(value: Any) -> Any:
    return spec(resources={"limits": {"cpu": value}})


def _budget(value: Any) -> Any:
    return spec(availability={"disruptionBudget": {"maxUnavailable": value}})


def _image(value: Any) -> Any:
    return {"image": value}


def _mount(value: Any) -> Any:
    return spec(volumes=[{"name": "a", "mountPath": value, "emptyDir": {}}])


def _url(value: Any) -> Any:
    return spec(ports=[{"name": "http", "containerPort": 80}], probes={"readiness": {"httpGet": {"path": value}}})


def _header(value: Any) -> Any:
    header = {"name": "X-A", "value": value}
    return spec(ports=[{"name": "http", "containerPort": 80}], probes={"readiness": {"httpGet": {"httpHeaders": [header]}}})


def _port_name(value: Any) -> Any:
    return spec(ports=[{"name": value, "containerPort": 80}])


def _file(value: Any) -> Any:
    return spec(files=[{"mountPath": "/a", "data": {value: ""}}])


def _label(value: Any) -> Any:
    return spec(podMetadata={"labels": {value: "a"}})


def _sub_path(value: Any) -> Any:
    return spec(volumes=[{"name": "a", "mountPath": "/a", "subPath": value, "emptyDir": {}}])


def _argument(value: Any) -> Any:
    return spec(args=[value])


TABLES: list[tuple[Callable[[Any], Any], list[Any], list[Any]]] = [
    (
        _limit,
        ["500m", "1", 1, "2.5", "0.001", "1.5Gi", "999Pi", "999999999Gi", 10**15 - 1, "100M"],
        [
            "",
            "0",
            0,
            "0m",
            "0.0",
            "-1",
            -1,
            "-1m",
            "+1",
            "1e99Gi",
            "1E3",
            "NaN",
            "Inf",
            "1.5.0",
            "1.",
            ".5",
            "1.2345",
            "0.5m",
            "1000P",
            "9999999999Gi",
            "1 Gi",
            "1gi",
            "1KI",
            "1Gi\n",
            "\u0661",
            "１",
            1.5,
            True,
            10**15,
            [],
            "01",
        ],
    ),
    (_budget, [0, 1, 1000, "0%", "25%", "100%"], [-1, 1001, "101%", "-1%", "1.5%", "5", "%", "1000%", "25% ", "25%\n", 0.5, True]),
    (
        _image,
        [
            "shop:1",
            "registry.example/shop:1.4.2",
            "host:5000/app:1",
            "a/b/c:v1",
            f"shop@{DIGEST}",
            f"shop:latest@{DIGEST}",
            f"host:5000/a@{DIGEST}",
            "shop:" + "a" * 128,
            "a_b/c__d/e-f:1",
            "localhost/a:1",
        ],
        [
            "",
            "shop",
            "shop:",
            "shop:latest",
            "registry.example/shop",
            "host:5000/app",
            "host:5000/app:latest",
            "shop@sha256:123",
            f"shop@{DIGEST}0",
            f"shop@{DIGEST.upper()}",
            f"shop@md5:{'0' * 32}",
            "Shop:1",
            "registry.Example/shop:1",
            "shop:1:2",
            "shop::1",
            "shop:-1",
            "shop:.1",
            "/shop:1",
            "shop//a:1",
            "a..b/c:1:2",
            "shop/:1",
            "user:password@registry.example/shop:1",
            "https://registry.example/shop:1",
            "shop:1 ",
            " shop:1",
            "shop:1\n",
            "sh\u043ep:1",
            "shop:\u202e1",
            "shop\u0000:1",
            "shop:" + "a" * 129,
            "a" * 4096 + ":1",
            "a___b:1",
            "shop:1@",
            "-a:1",
            "a-:1",
            "$(IMAGE):1",
        ],
    ),
    (
        _mount,
        [
            "/a",
            "/a/b.c",
            "/etc/shop",
            "/usr/share/nginx/html",
            "/dev/shm",
            "/devices",
            "/home/app/.cache",
            "/var/lib/x_y-z",
            "/opt/a@1",
            "/opt/c++",
        ],
        [
            "",
            "/",
            "a",
            "./a",
            "/..",
            "/../etc",
            "/a/../b",
            "/a/./b",
            "/a/",
            "//a",
            "/a//b",
            "/a:b",
            "/a b",
            "/a\r\nb",
            "/a\n",
            "/a\u0000",
            "/\u202ea",
            "/..a",
            "C:\\a",
            "/a" * 300,
            "/$(HOME)",
        ],
    ),
    (
        _url,
        ["/", "/health", "/health?full=1", "/a//b", "/%2e%2e/a", "/a:b@c", "/~a/..;/b"],
        [
            "",
            "health",
            "http://169.254.169.254/",
            "//169.254.169.254/",
            "/a b",
            "/a\r\nHost: x",
            "/a\n",
            "/é",
            "/a#b",
            "/a\u0000",
            "file:///etc/passwd",
            "\\a",
            "/{{a}}",
            "/`a`",
            "/a" + "b" * 1024,
        ],
    ),
    (_header, ["", "a b", "x" * 1024], ["a\r\nX-B: c", "a\n", "\u0000", "é", "x" * 1025]),
    (
        _port_name,
        ["http", "a", "a-b", "http2", "x" * 15],
        ["", "80", "a--b", "-a", "a-", "Http", "a_b", "a.b", "x" * 16, "a\n", "é", "1-2"],
    ),
    (_file, ["a", "app.toml", ".env", "A_b-c.d", "x" * 251], ["", ".", "..", "..a", "a/b", "a b", "é", "a\n", "x" * 252]),
    (
        _label,
        ["a", "team", "example.org/team", "a.b-c/d_e.f", "x" * 63],
        [
            "",
            "-a",
            "a-",
            "a b",
            "é",
            "a/b/c",
            "/a",
            "a/",
            "A.b/c",
            "a..b/c",
            "x" * 64,
            "a\n",
            "hardened.dev/a",
            "app.kubernetes.io/a",
            "a\u202e",
        ],
    ),
    (_sub_path, ["a", "a/b", ".a/b"], ["", "..", "a/..", "../a", "a/../b", "/a", "a//b", "a/", "./a", "a\n"]),
    (_argument, ["", "$(PATH)", "a\nb", "; rm -rf /", "{{ a }}", "${A}", "`a`", "日本", "x" * 4096], ["a\u0000", "x" * 4097, 1, None]),
]


@pytest.mark.parametrize(
    "given", [pytest.param(at(value), id=ascii(f"{at.__name__} {value}"[:60])) for at, taken, _ in TABLES for value in taken]
)
def test_it_is_taken(given: Any) -> None:
    assert is_taken(given)


@pytest.mark.parametrize(
    "given", [pytest.param(at(value), id=ascii(f"{at.__name__} {value}"[:60])) for at, _, refused in TABLES for value in refused]
)
def test_it_is_refused(given: Any) -> None:
    assert not is_taken(given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500m", "0.5"), ("1Ki", "1024"), ("2", "2"), ("1.5Gi", "1610612736"), ("1k", "1000"), ("0", "0"), ("1u", "0.000001"), ("1n", "0.000000001"),
        ("1E", "1000000000000000000"), ("1Ei", "1152921504606846976"),
    ],
)  # fmt: skip
def test_amounts(text: str, expected: str) -> None:
    assert amount(text) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "m", "1e3", "-1", "1gi", "1Gi\n", "1 Gi", "NaN"])
def test_no_amounts(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("shop:1.4", True),
        ("host:5000/shop", False),
        ("shop:latest", False),
        ("shop", False),
        (f"shop@{DIGEST}", True),
        (f"shop:latest@{DIGEST}", True),
    ],
)
def test_is_pinned(image: str, expected: bool) -> None:
    assert is_pinned(image) is expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [("0", "0"), ("12", "12"), ("0.5", "500m"), ("0.0001", "1m"), ("536870912", "512Mi"), ("1073741824", "1Gi"), ("1000000", "1000000")],
)
def test_a_quantity_reads_as_people_write_it(number: str, expected: str) -> None:
    assert quantity(Decimal(number)) == expected
