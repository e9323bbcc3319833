"""How far a Service that was there before is taken over, and who still runs of those that it led to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.service import active_service_of, selector
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.revision import Revision
from hardened.core.observe.adoptable import consents, refusal
from hardened.core.observe.observed import Observed, Ownership, is_deleting, may_run, owner_of
from hardened.core.observe.origin import Origin, is_adopted, origin_of
from hardened.core.observe.presence import is_ready


@dataclass(frozen=True)
class Adoption:
    """The Service that clients use, as far as it is or was somebody else's."""

    foreign: Manifest | None = None
    """Somebody else's Service of its name, as far as it was read."""
    refusal: str = ""
    """Why that one is not taken over, see `refusal`; "" where it is, once the gate is passed, or there is none."""
    origin: Origin | None = None
    """What it was like before it was taken over, as long as nothing of ours was promoted: clients can be led back."""
    former: Origin | None = None
    """The same once something was."""
    pods: tuple[Manifest, ...] | None = None
    """Those that it led to before, and that run yet; None where nobody has listed them."""

    @property
    def may_begin(self) -> bool:
        """Whether somebody else's is to be taken over."""
        return self.foreign is not None and not self.refusal

    @property
    def selector(self) -> Mapping[str, str] | None:
        """What selects the pods that it led to before; None where nobody wants to know them."""
        if self.former:
            return self.former.selector
        found: Mapping[str, str] | None = self.foreign["spec"].get("selector") if self.foreign and self.is_let else None
        return found

    @property
    def is_let(self) -> bool:
        """Whether a person let somebody else's be taken over."""
        return self.foreign is not None and consents(self.foreign, str(self.foreign["metadata"]["name"]))

    @property
    def is_over(self) -> bool:
        """Whether none of the pods that it led to before is left, once ours serve."""
        return self.former is not None and self.pods == ()


def adoption_of(
    svc: HardenedService, revision: Revision, active_service: Manifest | None, observed: Observed, *, replicas: int, has_stable: bool
) -> Adoption:
    """active_service: the service's own; revision: what the spec asks for; has_stable: something of ours was promoted."""
    pods = None if observed.former is None else tuple(each for each in observed.former if _is_of_others(svc, each))
    if active_service is not None:
        known = origin_of(active_service) if is_adopted(active_service) else None
        return Adoption(origin=None if has_stable else known, former=known if has_stable else None, pods=pods)
    live = observed.children.get(ChildKey("Service", svc.name))
    if live is None or owner_of(live, svc.name, svc.uid) is not Ownership.FOREIGN:
        return Adoption()
    wanted = active_service_of(svc, revision, selector(svc, None))
    ready = sum(map(is_ready, pods or ()))
    return Adoption(live, refusal(svc, wanted, live, ready, replicas), pods=pods)


def workloads(pods: tuple[Manifest, ...]) -> dict[tuple[str, str], int]:
    """How many of these pods each workload has, by its kind and name. The name of a ReplicaSet tells its Deployment."""
    return dict(Counter(_workload(pod) for pod in pods))


def _workload(pod: Manifest) -> tuple[str, str]:
    meta = pod["metadata"]
    owner: Manifest = next((each for each in meta.get("ownerReferences") or () if each.get("controller")), {})
    kind, name = str(owner.get("kind", "Pod")), str(owner.get("name", meta["name"]))
    end = f"-{(meta.get('labels') or {}).get(names.TEMPLATE_HASH_LABEL, '')}"
    is_of_deployment = kind == "ReplicaSet" and len(end) > 1 and name.endswith(end)
    return ("Deployment", name.removesuffix(end)) if is_of_deployment else (kind, name)


def _is_of_others(svc: HardenedService, pod: Mapping[str, Any]) -> bool:
    is_ours = (pod["metadata"].get("labels") or {}).get(names.SERVICE_LABEL) == svc.name
    return not is_ours and may_run(pod) and not is_deleting(pod)
