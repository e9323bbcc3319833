"""What a release lacks of its surroundings at this moment, all of it in one place."""

from collections.abc import Sequence
from dataclasses import dataclass

from hardened.core.checks.pods import CheckPod
from hardened.core.model.finding import Diagnosis
from hardened.core.model.input import Input, Needs
from hardened.core.model.kit import Kit
from hardened.core.model.state import ReleaseState
from hardened.core.needs import preflight, unmade_checks
from hardened.core.needs.preflight import Shortfall
from hardened.core.needs.room import lack_of_room
from hardened.core.needs.services import is_stopped
from hardened.core.observe.facts import Facts


@dataclass(frozen=True)
class Lacks:
    """What a release lacks of its surroundings."""

    short: Shortfall = preflight.NOTHING
    """What is not there before its first pod."""
    crowded: Diagnosis | None = None
    """Why its pods find no room."""
    refusal: Diagnosis | None = None
    """Why pods of its checks could not be made, before it begins in place."""
    hampered: Diagnosis | None = None
    """Why they are not at work."""
    is_unwatched: bool = False
    """See Needs."""
    is_stopped: bool = False
    """Another service is in its way, or what has its revision's name is forged."""

    def needs(self, cause: Diagnosis | None) -> Needs:
        """What the release lacks, as its steps ask for it. cause: why its pods are not available."""
        return Needs(
            is_held=self.short != preflight.NOTHING or self.is_stopped or self.refusal is not None,
            has_no_room=self.crowded is not None,
            is_blind=self.hampered is not None,
            is_unwatched=self.is_unwatched,
            cause=cause,
        )

    def room(self, before: ReleaseState | None, after: ReleaseState | None, *, is_held: bool) -> Diagnosis | None:
        """What the release waits for, as it is to be told. after: the state that is to be written; is_held: in Preflight."""
        if is_held:
            return self.short.room or self.refusal
        if before is None or after is None or after.step is not before.step or after.deadline is not None:
            return None
        return self.crowded or (self.hampered if after.step.row.is_judged else None)

    def are_told_by_nobody(self, after: ReleaseState | None, *, is_held: bool) -> bool:
        """Whether it has to be looked at again soon: nobody tells when a quota is raised."""
        return is_held or (after is not None and after.step.row.is_judged and self.hampered is not None)


def lacks_of(facts: Facts, state: ReleaseState | None, pods: Sequence[CheckPod], seen: Input, kit: Kit) -> Lacks:
    """What the state's release lacks, and the one that would begin now. pods: of the checks of its step."""
    refusal, unable = unmade_checks.refusal(facts), unmade_checks.unable(facts, state, kit)
    hampered = unable or unmade_checks.hindrance(facts, state, pods, seen.policy, seen.now) or refusal
    return Lacks(
        short=preflight.with_grace(preflight.shortfall(facts, seen, kit, pods), state, seen.now),
        crowded=lack_of_room(facts, state),
        refusal=refusal or (unable if seen.in_place else None),
        hampered=hampered,
        is_unwatched=hampered is not None or unmade_checks.lacks(facts, state, pods),
        is_stopped=is_stopped(facts) or bool(facts.forged),
    )
