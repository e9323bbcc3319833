"""The pods that work for a release as they are made, and what they need beside them: files, and a way to what they ask.

What their namespace demands of them is looked at right before they are made, and at no other time.
"""

from collections.abc import Sequence
from functools import cached_property

from hardened.core.checks.pods import CheckPod
from hardened.core.desired.files import files
from hardened.core.desired.network_policy import verifier_policy, verifier_policy_name
from hardened.core.desired.template import mounted_by
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.revision import Revision
from hardened.core.model.state import ReleaseState
from hardened.core.needs import limits
from hardened.core.needs.closed import closes_egress
from hardened.core.observe.facts import Facts
from hardened.core.observe.observed import Constraints

#: Nothing is demanded, as far as anybody knows.
_NOTHING = Constraints()


class TaskPods:
    """state: of the release that they work for; pods: those that should be there."""

    def __init__(self, facts: Facts, state: ReleaseState | None, pods: Sequence[CheckPod]) -> None:
        self._facts, self._record, self._pods = facts, state, pods
        self._constraints, self._children = facts.observed.constraints, facts.observed.children

    def lack_constraints(self) -> bool:
        """Whether one of them is to be made, and nobody has looked what that one has to be like."""
        return self._constraints is None and any(pod.key not in self._children for pod in self._pods)

    def fitted(self, pod: Manifest) -> Manifest:
        """A pod that is to be made, as its namespace lets it be made."""
        return limits.fitted(pod, (self._constraints or _NOTHING).limit_ranges)

    def ground(self) -> list[Manifest]:
        """What is to be there before them."""
        has_commands = any(pod.is_once or pod.is_teams for pod in self._pods)
        found = [files(self._facts.svc, self._revision)] if has_commands and self._revision else []
        return [manifest for manifest in (*found, self._policy(has_commands)) if manifest]

    def pods(self) -> list[Manifest]:
        """Those that are there, and those that can be made: where nobody can say what is demanded of them, they wait."""
        may_be_made = self._constraints is not None and self._constraints.is_known
        there = [(pod, pod.key in self._children) for pod in self._pods]
        return [pod.manifest if is_there else self.fitted(pod.manifest) for pod, is_there in there if is_there or may_be_made]

    def needs(self, pod: Manifest) -> frozenset[ChildKey]:
        """What has to be written before this pod is made. One without a way to what it asks would condemn a good version."""
        return frozenset({self._policy_key}) | (mounted_by(pod["spec"]) - self._children.keys())

    @cached_property
    def _revision(self) -> Revision | None:
        """What they work for; None where nobody knows what is in it."""
        target = self._record.target if self._record else None
        found = self._facts.revision(target.revision, target.color) if target else None
        return found if found and found.fields else None

    @property
    def _policy_key(self) -> ChildKey:
        return ChildKey("NetworkPolicy", verifier_policy_name(self._facts.svc))

    def _policy(self, has_commands: bool) -> Manifest | None:
        """Only where something closes their way, or the spec bounds that of their commands. One that is there bounds nobody then.

        Otherwise it would close more than it opens: a policy that selects a pod leaves it nothing but what policies name.
        """
        if self._constraints is None or not self._constraints.is_known or not self._pods:
            return None
        spec = self._revision.spec if self._revision else self._facts.svc.spec
        is_bounded = has_commands and spec.network is not None and spec.network.egress_to is not None
        is_open = is_bounded or self._is_closed(self._constraints)
        if not is_open and self._facts.mine(*self._policy_key) is None:
            return None
        return verifier_policy(self._facts.svc, spec, is_open=is_open)

    def _is_closed(self, constraints: Constraints) -> bool:
        labels = [pod.manifest["metadata"].get("labels") or {} for pod in self._pods]
        return any(closes_egress(policy, each) for policy in constraints.policies for each in labels)
