"""A plain foreign client of the API server, for tests: raw dictionaries, patches of everything, waits by watch instead of by sleep."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import yaml

from e2e.workers import have_company

Body = dict[str, Any]

#: kind -> path of its API group, and its plural.
KINDS: Mapping[str, tuple[str, str]] = {
    "HardenedService": ("apis/hardened.dev/v1alpha1", "hardenedservices"),
    "HardenedServiceAction": ("apis/hardened.dev/v1alpha1", "hardenedserviceactions"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "CronJob": ("apis/batch/v1", "cronjobs"),
    "Job": ("apis/batch/v1", "jobs"),
    "ControllerRevision": ("apis/apps/v1", "controllerrevisions"),
    "Service": ("api/v1", "services"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "ConfigMap": ("api/v1", "configmaps"),
    "Secret": ("api/v1", "secrets"),
    "Pod": ("api/v1", "pods"),
    "Event": ("api/v1", "events"),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims"),
    "ResourceQuota": ("api/v1", "resourcequotas"),
    "LimitRange": ("api/v1", "limitranges"),
    "PersistentVolume": ("api/v1", "persistentvolumes"),
    "Namespace": ("api/v1", "namespaces"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "Lease": ("apis/coordination.k8s.io/v1", "leases"),
    "CustomResourceDefinition": ("apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "ValidatingAdmissionPolicy": ("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": ("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"),
    "ClusterRole": ("apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles"),
    "ClusterRoleBinding": ("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "ScaledObject": ("apis/keda.sh/v1alpha1", "scaledobjects"),
    "GitRepository": ("apis/source.toolkit.fluxcd.io/v1", "gitrepositories"),
    "Kustomization": ("apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
    "APIService": ("apis/apiregistration.k8s.io/v1", "apiservices"),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}
_CLUSTER_SCOPED = frozenset({
    "Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "APIService",
})  # fmt: skip

#: How often a request is made where the server answers 429 and says when to come back, as it does for some seconds after a CRD has changed
#: ("storage is (re)initializing"). Source: client-go's maxRetries.
TURNS = 1 + 10


class KubeError(Exception):
    """The server said no. code: the HTTP status; body: its Status object."""

    def __init__(self, code: int, body: Body) -> None:
        super().__init__(f"{code}: {body.get('message', body)}")
        self.code = code
        self.body = body


#: Where several clusters share two cores, pods take up to five times as long to come.
_PATIENCE = 3.0 if have_company() else 1.0


class TooLate(AssertionError):
    """What a test waited for did not happen in time; the message shows the last state."""


class Kube:
    """Use as an async context manager. Reads one kubeconfig file with certificates, or a token, inside it.

    acting_as: a user whose rights count instead, which takes the right to impersonate.
    """

    def __init__(self, kubeconfig: Path, *, token: str | None = None, acting_as: str | None = None) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        context = _named(document["contexts"], document["current-context"])["context"]
        self._cluster: Body = _named(document["clusters"], context["cluster"])["cluster"]
        self._user: Body = {"token": token} if token else _named(document["users"], context["user"])["user"]
        self.server: str = self._cluster["server"]
        self._acting_as = acting_as

    async def __aenter__(self) -> Kube:
        headers = {"Authorization": f"Bearer {self._user['token']}"} if "token" in self._user else {}
        if self._acting_as:
            headers["Impersonate-User"] = self._acting_as
        connector = aiohttp.TCPConnector(ssl=self._tls())
        self._session = aiohttp.ClientSession(connector=connector, headers=headers, read_bufsize=2**21)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._session.close()

    def _tls(self) -> ssl.SSLContext:
        authority = base64.b64decode(self._cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        if "client-certificate-data" in self._user:
            # ssl takes a certificate from a file only.
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"".join(base64.b64decode(self._user[f"client-{part}-data"]) for part in ("certificate", "key")))
                file.flush()
                context.load_cert_chain(file.name)
        return context

    # ---- one call

    async def username(self) -> str:
        """Who this is, as the API server knows them."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        found = await self.call("POST", "apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        return str(found["status"]["userInfo"]["username"])

    async def call(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", **query: str) -> Body:
        """One request, made again as long as the server asks for that. Raises KubeError for any code from 300 on."""
        data = None if body is None else json.dumps(body)
        for left in reversed(range(TURNS)):
            async with self._session.request(
                method, f"{self.server}/{path}", params=query, data=data, headers={"Content-Type": content_type}
            ) as reply:
                text = await reply.text()
                later = reply.headers.get("Retry-After", "") if reply.status == 429 else ""
            if not (left and later.isdecimal()):
                break
            await asyncio.sleep(int(later))
        found: Body = json.loads(text) if text.startswith("{") else {"message": text}
        if reply.status >= 300:
            raise KubeError(reply.status, found)
        return found

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Body | None:
        """The object, or None."""
        try:
            return {"kind": kind, **await self.call("GET", path_of(kind, namespace, name))}
        except KubeError as error:
            if error.code == 404:
                return None
            raise

    async def list(self, kind: str, namespace: str | None = None, selector: str = "") -> list[Body]:
        """The objects that match a label selector."""
        found = await self.call("GET", path_of(kind, namespace), labelSelector=selector)
        return [{"kind": kind, **item} for item in found["items"]]

    async def create(self, manifest: Body, **query: str) -> Body:
        """POST."""
        meta = manifest["metadata"]
        return await self.call("POST", path_of(manifest["kind"], meta.get("namespace")), manifest, **query)

    async def apply(self, manifest: Body, *, manager: str = "tester", force: bool = True) -> Body:
        """Server-side apply, as a foreign manager."""
        meta = manifest["metadata"]
        path = path_of(manifest["kind"], meta.get("namespace"), meta["name"])
        return await self.call(
            "PATCH", path, manifest, content_type="application/apply-patch+yaml", fieldManager=manager, force=str(force).lower()
        )

    async def patch(self, kind: str, name: str, namespace: str, patch: Body, subresource: str = "") -> Body:
        """A JSON merge patch."""
        path = path_of(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return await self.call("PATCH", path, patch, content_type="application/merge-patch+json", fieldManager="tester")

    async def delete(self, kind: str, name: str, namespace: str | None = None, *, propagation: str = "Background") -> None:
        """Deletes it; nothing happens when it is not there."""
        try:
            await self.call("DELETE", path_of(kind, namespace, name), {"propagationPolicy": propagation})
        except KubeError as error:
            if error.code != 404:
                raise

    # ---- waiting

    async def until(
        self, kind: str, name: str, namespace: str | None, holds: Callable[[Body | None], bool], *, within: float
    ) -> tuple[Body | None, float]:
        """Waits, by watch, until `holds` is true of the object (None: absent). The object, and the seconds that it took. Raises TooLate.

        within: seconds on a machine that the cluster has for itself; what is promised is asserted of the seconds that it took.
        """
        within, begun = within * _PATIENCE, time.monotonic()
        last: list[Body | None] = [None]
        try:
            async with asyncio.timeout(within):
                async for live in self.states(kind, name, namespace):
                    last[0] = live
                    if holds(live):
                        return live, time.monotonic() - begun
        except TimeoutError as error:
            raise TooLate(f"waited {within:g} s for {kind} {namespace}/{name}; it is now:\n{_short(last[0])}") from error
        raise AssertionError("unreachable: the states never end")

    async def states(self, kind: str, name: str, namespace: str | None) -> AsyncIterator[Body | None]:
        """The object as it is now, and at each change from then on, by watch; None while it is absent. Never ends."""
        while True:
            found = await self.call("GET", path_of(kind, namespace), fieldSelector=f"metadata.name={name}")
            yield {"kind": kind, **found["items"][0]} if found["items"] else None
            async for event in self.watch(kind, namespace, found["metadata"]["resourceVersion"], f"metadata.name={name}"):
                if event["type"] in ("ADDED", "MODIFIED"):
                    yield {"kind": kind, **event["object"]}
                elif event["type"] == "DELETED":
                    yield None

    async def watch(self, kind: str, namespace: str | None, version: str, field_selector: str = "") -> AsyncIterator[Body]:
        """The events after a resourceVersion, until the server ends the watch or forgets the version."""
        params = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "300"} | (
            {"fieldSelector": field_selector} if field_selector else {}
        )
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(f"{self.server}/{path_of(kind, namespace)}", params=params, timeout=timeout) as reply:
            if reply.status != 200:
                return
            async for line in reply.content:
                event: Body = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event


def path_of(kind: str, namespace: str | None, name: str | None = None) -> str:
    """The URL path of a collection or an object, without its leading slash."""
    group, plural = KINDS[kind]
    parts = [group] if namespace is None or kind in _CLUSTER_SCOPED else [group, "namespaces", namespace]
    return "/".join([*parts, plural, *([name] if name else [])])


def condition(live: Body | None, kind: str) -> Body:
    """The condition of this type, or {} where it is not set, or is of an older generation of the spec."""
    if not live:
        return {}
    generation = live["metadata"].get("generation", 0)
    found: Body = next((c for c in (live.get("status") or {}).get("conditions") or () if c["type"] == kind), {})
    return found if found.get("observedGeneration", generation) >= generation else {}


def is_ready(live: Body | None) -> bool:
    """Ready=True for the present generation, as `kubectl wait` sees it."""
    return condition(live, "Ready").get("status") == "True"


def _named(entries: list[Body], name: str) -> Body:
    return next(entry for entry in entries if entry["name"] == name)


def _short(live: Body | None) -> str:
    if live is None:
        return "absent"
    # The status first: it is what a test mostly waits for, and the rest may be cut off.
    shown = {"status": live.get("status"), **{k: v for k, v in live.items() if k not in ("metadata", "status")}}
    shown["metadata"] = {k: v for k, v in live["metadata"].items() if k != "managedFields"}
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=200)[:4000]
