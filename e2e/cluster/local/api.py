"""The few questions that bringing a cluster up asks its API server, without starting a program for each."""

import http.client
import json
import ssl
from datetime import datetime
from typing import Any

from .layout import API_PORT, Layout


class Api:
    """The cluster's API server, seen by its administrator."""

    def __init__(self, layout: Layout) -> None:
        self._address = layout.control_plane_address
        self._tls = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        self._tls.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")

    def is_ready(self) -> bool:
        return self._get("/readyz") is not None

    def ready_nodes(self, since: datetime | None = None) -> set[str]:
        """The names of the nodes whose kubelet says that they are ready, and said so at that time or later."""
        found = set()
        for item in self._items("/api/v1/nodes"):
            heartbeat = _ready_heartbeat(item)
            if heartbeat and (since is None or datetime.fromisoformat(heartbeat) >= since):
                found.add(item["metadata"]["name"])
        return found

    def available_deployments(self, namespace: str) -> set[str]:
        """The names of the Deployments that have seen their latest spec and have a replica available."""
        found = self._items(f"/apis/apps/v1/namespaces/{namespace}/deployments")
        return {item["metadata"]["name"] for item in found if item["status"].get("availableReplicas", 0) >= 1}

    def _items(self, path: str) -> list[dict[str, Any]]:
        body = self._get(path)
        return json.loads(body)["items"] if body else []

    def _get(self, path: str) -> bytes | None:
        """The answer's body, or None for any other answer than 200, or none within 3 seconds."""
        connection = http.client.HTTPSConnection(self._address, API_PORT, context=self._tls, timeout=3)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            return body if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def _ready_heartbeat(node: dict[str, Any]) -> str | None:
    """When the node was last told to be ready, or None where it is not."""
    conditions = node["status"].get("conditions", [])
    return next((found["lastHeartbeatTime"] for found in conditions if found["type"] == "Ready" and found["status"] == "True"), None)
