import pytest

from hardened.shell.kinds import CONFIG_MAP, DEPLOYMENT, HARDENED_SERVICE, KINDS, Kind


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        pytest.param(CONFIG_MAP, ("shop", "a"), "/api/v1/namespaces/shop/configmaps/a", id="the core group"),
        pytest.param(DEPLOYMENT, ("shop", "a", "scale"), "/apis/apps/v1/namespaces/shop/deployments/a/scale", id="a subresource"),
        pytest.param(HARDENED_SERVICE, (None,), "/apis/hardened.dev/v1alpha1/hardenedservices", id="all namespaces"),
        pytest.param(CONFIG_MAP, ("shop", "a/../b?c"), "/api/v1/namespaces/shop/configmaps/a%2F..%2Fb%3Fc", id="a name stays one segment"),
    ],
)
def test_path(kind: Kind, arguments: tuple[str, ...], expected: str) -> None:
    assert kind.path(*arguments) == expected


def test_kinds_are_found_by_the_kind_of_their_manifest() -> None:
    assert all(KINDS[name].name == name for name in KINDS)
    assert (DEPLOYMENT.api_version, CONFIG_MAP.api_version) == ("apps/v1", "v1")
