"""Whether an object is there is asked without what is in it."""

import pytest

from hardenctl.cluster.api_cluster import ApiCluster
from hardenctl.connection.kubeconfig import ResolvedContext
from hardenctl.connection.transport import HttpCall, HttpReply
from hardened.errors import Refused

SECRET = "/api/v1/namespaces/shop/secrets/db"


class Server:
    """Answers each call with one code, and keeps the calls."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.calls: list[HttpCall] = []

    def send(self, call: HttpCall) -> HttpReply:
        self.calls.append(call)
        kind = "PartialObjectMetadata" if self.status == 200 else "Status"
        return HttpReply(self.status, {}, f'{{"kind": "{kind}", "message": "no"}}'.encode())


def asked(status: int) -> tuple[ApiCluster, Server]:
    server = Server(status)
    return ApiCluster(ResolvedContext("c", "shop", {"server": "https://x"}, {}), server), server


@pytest.mark.parametrize(("status", "is_there"), [(200, True), (404, False)])
def test_only_metadata_is_asked_for(status: int, is_there: bool) -> None:
    cluster, server = asked(status)
    assert cluster.is_there(SECRET) is is_there
    [call] = server.calls
    assert (call.method, call.path) == ("GET", SECRET)
    # No other form is accepted: a server that did not know this one would refuse, and not send what is in the Secret.
    assert call.headers["Accept"] == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def test_who_may_not_ask_is_told_so() -> None:
    cluster, _ = asked(403)
    with pytest.raises(Refused):
        cluster.is_there(SECRET)
