"""What is written of a suspended service: that its autoscaler leaves it as it is, and nothing else."""

from hardened.core.desired.autoscaler import KIND, frozen_as_it_is
from hardened.core.desired.children import signed
from hardened.core.model.manifest import key_of
from hardened.core.writes.differences import Apply, Writes


def freezes(writes: Writes) -> tuple[Apply, ...]:
    """What freezes the autoscaler that is there, whatever the spec says of it by now: none is made, changed or deleted meanwhile."""
    live = writes.facts.mine(KIND, writes.svc.name)
    wanted = frozen_as_it_is(writes.svc, live) if live else None
    if live is None or wanted is None or key_of(wanted) in writes.observed.refused:
        return ()
    return tuple(writes.step(signed(wanted), live, frozenset()))
