"""What is written of a suspended service: that its autoscaler leaves it as it is, and nothing else."""

from collections.abc import Iterator

from hardened.core.desired.autoscaler import KIND, frozen_as_it_is
from hardened.core.desired.children import signed
from hardened.core.desired.scaled_object import KIND as SCALED_OBJECT
from hardened.core.desired.scaled_object import paused_as_it_is
from hardened.core.model.manifest import Manifest, key_of
from hardened.core.writes.differences import Writes
from hardened.core.writes.write import Apply


def freezes(writes: Writes) -> tuple[Apply, ...]:
    """What freezes the autoscaler that is there, whatever the spec says of it by now: none is made, changed or deleted meanwhile."""
    known = [(live, wanted) for live, wanted in _frozen(writes) if wanted and key_of(wanted) not in writes.observed.refused]
    return tuple(step for live, wanted in known for step in writes.step(signed(wanted), live, frozenset()))


def _frozen(writes: Writes) -> Iterator[tuple[Manifest, Manifest | None]]:
    """What is there, and as it is to be; None where it is so. KEDA's own goes by the ScaledObject."""
    for kind, frozen in ((KIND, frozen_as_it_is), (SCALED_OBJECT, paused_as_it_is)):
        live = writes.facts.mine(kind, writes.svc.name)
        if live is not None:
            yield live, frozen(writes.svc, live)
