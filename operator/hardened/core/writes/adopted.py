"""The Service that clients use as it is written while clients are led from somebody else's pods to ours, or back to them."""

from hardened.api import names
from hardened.core.desired.children import signed
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.state import ReleaseState
from hardened.core.observe.facts import Facts
from hardened.core.observe.origin import adopted, given_back, is_adopted, led_back, named_as, origin_text


def as_adopted(facts: Facts, state: ReleaseState | None, made: Manifest) -> Manifest | None:
    """A child as it is to be written; None where it is left to whoever it belongs to. All but this Service are as they are.

    state: of the release, as status has it. Nothing of a foreign Service is written before it leads to a revision that has passed its
    gate. One that was taken over keeps what it was like as long as one of the pods runs that it led to. It is given back once its first
    release is over without success, and no client is led to us any more: then it does not go with the HardenedService.
    """
    adoption = facts.adoption
    live = adoption.foreign if adoption.may_begin else facts.active_service
    if live is None or key_of(made) != ChildKey("Service", facts.svc.name):
        return made
    unsigned = _unsigned(made)
    wanted = named_as(unsigned, live)
    is_led = names.COLOR_LABEL in wanted["spec"]["selector"]
    if adoption.foreign is not None:
        return signed(adopted(wanted, origin_text(wanted, live))) if is_led else None
    if not is_adopted(live) or adoption.is_over:
        return made if wanted is unsigned else signed(wanted)
    kept = adopted(wanted, live["metadata"]["annotations"][names.ADOPTED_ANNOTATION])
    if adoption.origin is None or is_led:
        return signed(kept)
    is_over = state is None or state.is_before_cutover
    return given_back(wanted, adoption.origin) if is_over else signed(led_back(kept, adoption.origin))


def _unsigned(manifest: Manifest) -> Manifest:
    meta = manifest["metadata"]
    left = {key: value for key, value in (meta.get("annotations") or {}).items() if key != names.APPLIED_ANNOTATION}
    return {**manifest, "metadata": {**{key: value for key, value in meta.items() if key != "annotations"}, "annotations": left}}
