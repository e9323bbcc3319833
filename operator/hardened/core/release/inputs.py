"""The Input of a release, read from the facts."""

from dataclasses import replace
from datetime import datetime

from hardened.api.service import HardenedServiceSpec
from hardened.core.checks.reports import CheckResults
from hardened.core.model.input import Input
from hardened.core.model.release_policy import ReleasePolicy
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import COLORS, Target
from hardened.core.observe.facts import Facts
from hardened.core.observe.traffic import serves_nobody, stacks, traffic
from hardened.core.release.in_place.inputs import in_place_input
from hardened.core.revisions.revision import key_of

#: The schema revision that has status.release.available.
_COUNTS_SINCE = 7


def release_policy(spec: HardenedServiceSpec) -> ReleasePolicy:
    """What the spec says about releases."""
    return ReleasePolicy(spec.release, spec.verify)


def input_of(facts: Facts, state: ReleaseState | None, results: CheckResults, policy: ReleasePolicy, now: datetime) -> Input:
    """What the release at work goes by, or the one that would begin; without what it needs, and what is asked for by hand."""
    seen = _input(facts, results, policy, now)
    seen = replace(seen, strategy_at_work=state.strategy if state else seen.strategy)
    is_in_place = seen.strategy_at_work != "BlueGreen"
    if is_in_place:
        seen = in_place_input(facts, state, seen)
    is_kept = facts.svc.is_stand_in or (is_in_place and facts.svc.spec.suspend)
    if is_kept and state and not state.is_rollback:
        seen = replace(seen, wanted=state.target.revision, key=state.key)  # nobody has taken it back, and nothing new takes over
    return replace(seen, is_held=True, is_blind="verify" in facts.svc.lacks) if facts.svc.is_stand_in else seen


def _input(facts: Facts, results: CheckResults, policy: ReleasePolicy, now: datetime) -> Input:
    stable = facts.stable.target if facts.stable else None
    led = traffic(facts)
    if led.active_target is None and not led.is_strange and serves_nobody(facts, stable):
        led = replace(led, active_target=stable, has_followed=True)
    color = (stable or led.active_target or Target(COLORS[0], "")).color
    return Input(
        wanted=facts.wanted.name,
        key=key_of(facts.wanted.name, facts.svc.spec),
        replicas=facts.replicas(color),
        stable=stable,
        stacks=stacks(facts),
        traffic=led,
        policy=policy,
        now=now,
        strategy=facts.svc.spec.effective_strategy,
        rejected=frozenset(r.key for r in facts.rejections()),
        before=results.before,
        after=results.after,
        has_slot=facts.observed.has_slot,
        is_adopted=facts.adoption.origin is not None,
        is_kept_out=bool(facts.adoption.refusal),
        counts=not is_older(facts.observed.crd_schema, _COUNTS_SINCE),
    )


def is_older(schema: str, revision: int) -> bool:
    """Whether the CRD on the cluster is of an older schema revision, as far as is known."""
    return schema.isdecimal() and int(schema) < revision
