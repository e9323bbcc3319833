"""The stacks and the Services of a release, as they should be: which template, which size, and whom they lead to."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.api.strategy import Strategy
from hardened.core.desired.children import DesiredStack, Route
from hardened.core.desired.metadata import stack_selector
from hardened.core.desired.service import selector
from hardened.core.model.input import Input
from hardened.core.model.revision import Revision
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import Stack, Target
from hardened.core.observe.facts import Facts
from hardened.core.observe.traffic import serves_nobody
from hardened.core.release.in_place.tokens import in_place_token


def stacks_of(facts: Facts, state: ReleaseState | None, color: str, wanted: Stack | None, seen: Input) -> list[DesiredStack]:
    """The stack of a colour; none where it never had a revision. wanted: what the release asks for, None where nobody needs it."""
    fencing_token = in_place_token(state) or _epoch(facts, state, color)
    if wanted is None:
        return _idle(facts, color, fencing_token)
    revision, is_used = facts.revision(wanted.revision, color), _has_clients(state, color, wanted, seen)
    return [replace(stack_of(facts, color, revision, wanted.wanted, fencing_token), has_clients=is_used)] if revision else []


def _has_clients(state: ReleaseState | None, color: str, wanted: Stack, seen: Input) -> bool:
    """Whether clients use a colour, or may at any moment. A first release at its full size is about to serve: one write for all."""
    if state is None or state.strategy != "BlueGreen":
        return True
    if state.is_before_cutover and color == state.target.color:
        return seen.stable is None and wanted.wanted == seen.replicas
    return state.step is not Step.KEEP or color == state.target.color


def _idle(facts: Facts, color: str, fencing_token: str) -> list[DesiredStack]:
    """A colour that nobody needs: its Deployment stays, without pods, for a warm start."""
    rollout = facts.rollout(color)
    revision = facts.revision(rollout.revision, color) if rollout else None
    return [replace(stack_of(facts, color, revision, 0, fencing_token), has_clients=False)] if revision else []


def stack_of(facts: Facts, color: str, revision: Revision, replicas: int, fencing_token: str = "") -> DesiredStack:
    """A revision in a colour, of this size. fencing_token: as it is, unless it is given."""
    number = facts.kept.number_for(revision.name)
    return DesiredStack(color, revision, number, replicas, facts.annotations(revision.name), fencing_token or facts.fencing_token(color))


def _epoch(facts: Facts, state: ReleaseState | None, color: str) -> str:
    """What says on a Deployment that this release leads traffic to it; "" where it does not.

    One that this release makes has it from the beginning: nobody can have decided before to take it down.
    """
    if state is None or state.strategy != "BlueGreen":
        return ""
    is_new = state.is_before_cutover and color not in facts.deployments
    if color == state.target.color and (is_new or state.step is Step.CUTOVER):
        return state.fencing_token
    return state.recall_token if state.step is Step.SWITCH_BACK and color != state.target.color else ""


def active_fencing_token(facts: Facts, state: ReleaseState | None) -> str:
    """The mark of the active Service: as it is, unless clients are led back, or not led on after all."""
    token = state.recall_token if state and state.strategy != "RollingUpdate" else ""
    return token or facts.active_fencing_token or ""


def route_to(facts: Facts, target: Target | None, stable: Target | None, strategy: Strategy = "BlueGreen") -> Route:
    """To a place; to nobody with the ports of what serves, or of what will. As long as one of them has ports, a Service is there."""
    known = [facts.revision(each.revision, each.color) for each in (target, stable) if each]
    ports = next((revision for revision in known if revision and revision.fields.get("ports")), facts.wanted)
    if target == stable and serves_nobody(facts, stable) and ports.fields.get("ports"):
        return Route(ports, selector(facts.svc, None))
    return Route(ports, stack_selector(facts.svc, target.color) if target and strategy == "RollingUpdate" else selector(facts.svc, target))
