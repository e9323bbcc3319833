"""The stacks and the Services of a release, as they should be: which template, which size, and whom they lead to."""

from dataclasses import replace

from hardened.api.strategy import Strategy
from hardened.core.desired.children import DesiredStack, Route
from hardened.core.desired.metadata import stack_selector
from hardened.core.desired.service import selector
from hardened.core.model import release as model
from hardened.core.model.release import BEFORE_CUTOVER, Input, ReleaseState, Step, Target
from hardened.core.model.revision import Revision
from hardened.core.observe.facts import Facts
from hardened.core.release.in_place_view import epoch_of
from hardened.core.release.view import serves_nobody


def stacks_of(facts: Facts, record: ReleaseState | None, color: str, wanted: model.Stack | None, view: Input) -> list[DesiredStack]:
    """The stack of a colour; none where it never had a revision. wanted: what the release asks for, None where nobody needs it."""
    epoch = epoch_of(record) or _epoch(facts, record, color)
    if wanted is None:
        return _idle(facts, color, epoch)
    revision, is_used = facts.revision(wanted.revision, color), _has_clients(record, color, wanted, view)
    return [replace(stack_of(facts, color, revision, wanted.wanted, epoch), has_clients=is_used)] if revision else []


def _has_clients(record: ReleaseState | None, color: str, wanted: model.Stack, view: Input) -> bool:
    """Whether clients use a colour, or may at any moment. A first release at its full size is about to serve: one write for all."""
    if record is None or record.strategy != "BlueGreen":
        return True
    if record.step in BEFORE_CUTOVER and color == record.place.color:
        return view.stable is None and wanted.wanted == view.replicas
    return record.step is not Step.KEEP or color == record.place.color


def _idle(facts: Facts, color: str, epoch: str) -> list[DesiredStack]:
    """A colour that nobody needs: its Deployment stays, without pods, for a warm start."""
    rollout = facts.rollout(color)
    revision = facts.revision(rollout.revision, color) if rollout else None
    return [replace(stack_of(facts, color, revision, 0, epoch), has_clients=False)] if revision else []


def stack_of(facts: Facts, color: str, revision: Revision, replicas: int, epoch: str = "") -> DesiredStack:
    """A revision in a colour, of this size. epoch: as it is, unless it is given."""
    number = facts.kept.number_for(revision.name)
    return DesiredStack(color, revision, number, replicas, facts.marks(revision.name), epoch or facts.epoch(color))


def _epoch(facts: Facts, record: ReleaseState | None, color: str) -> str:
    """What says on a Deployment that this release leads traffic to it; "" where it does not.

    One that this release makes has it from the beginning: nobody can have decided before to take it down.
    """
    if record is None or record.strategy != "BlueGreen":
        return ""
    is_new = record.step in BEFORE_CUTOVER and color not in facts.deployments
    if color == record.place.color and (is_new or record.step is Step.CUTOVER):
        return record.epoch
    return record.recall if record.step is Step.SWITCH_BACK and color != record.place.color else ""


def switch_epoch(facts: Facts, record: ReleaseState | None) -> str:
    """The mark of the switch Service: as it is, unless clients are led back, or not led on after all."""
    recall = record.recall if record and record.strategy != "RollingUpdate" else ""
    return recall or facts.switch_epoch or ""


def lead_to(facts: Facts, place: Target | None, stable: Target | None, strategy: Strategy = "BlueGreen") -> Route:
    """To a place; to nobody with the ports of what serves, or of what will. As long as one of them has ports, a Service is there."""
    known = [facts.revision(each.revision, each.color) for each in (place, stable) if each]
    ports = next((revision for revision in known if revision and revision.fields.get("ports")), facts.wanted)
    if place == stable and serves_nobody(facts, stable) and ports.fields.get("ports"):
        return Route(ports, selector(facts.svc, None))
    return Route(ports, stack_selector(facts.svc, place.color) if place and strategy == "RollingUpdate" else selector(facts.svc, place))
