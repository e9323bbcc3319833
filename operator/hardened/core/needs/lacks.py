"""What a release lacks of its surroundings at this moment, all of it in one place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hardened.core.checks.pods import CheckPod
from hardened.core.model.finding import Diagnosis
from hardened.core.model.kit import Kit
from hardened.core.model.release import Hooks, Input, ReleasePolicy, ReleaseState
from hardened.core.needs import preflight
from hardened.core.needs import unmade_checks
from hardened.core.needs.preflight import Shortfall
from hardened.core.needs.room import lack_of_room
from hardened.core.needs.services import is_stopped
from hardened.core.observe.facts import Facts
from hardened.core.release.in_place import InPlace


@dataclass(frozen=True)
class Lacks:
    """short: what is not there before its first pod; crowded: why its pods find no room; refusal: why pods of its checks could not be made,
    before it begins in place; hampered: why they are not at work; is_unwatched: see Hooks; is_stopped: another service is in its
    way, or what has its revision's name is forged.
    """

    short: Shortfall = preflight.NOTHING
    crowded: Diagnosis | None = None
    refusal: Diagnosis | None = None
    hampered: Diagnosis | None = None
    is_unwatched: bool = False
    is_stopped: bool = False

    def in_hooks(self, hooks: Hooks, cause: Diagnosis | None) -> Hooks:
        """The hooks of the release with what it lacks."""
        return replace(
            hooks,
            is_held=self.short != preflight.NOTHING or self.is_stopped or self.refusal is not None,
            has_no_room=self.crowded is not None,
            is_blind=self.hampered is not None,
            is_unwatched=self.is_unwatched,
            cause=cause,
        )

    def room(self, before: ReleaseState | None, after: ReleaseState | None, *, is_held: bool) -> Diagnosis | None:
        """What the release waits for, as it is to be told. after: the record that is to be written; is_held: in Preflight."""
        if is_held:
            return self.short.room or self.refusal
        if before is None or after is None or after.step is not before.step or after.deadline is not None:
            return None
        return self.crowded or (self.hampered if after.step in unmade_checks.JUDGED else None)

    def are_told_by_nobody(self, after: ReleaseState | None, *, is_held: bool) -> bool:
        """Whether it has to be looked at again soon: nobody tells when a quota is raised."""
        return is_held or (after is not None and after.step in unmade_checks.JUDGED and self.hampered is not None)


def lacks_of(
    facts: Facts, record: ReleaseState | None, pods: Sequence[CheckPod], view: Input, terms: ReleasePolicy, kit: Kit, now: datetime
) -> Lacks:
    """What the record's release lacks, and the one that would begin now. pods: of the checks of its step."""
    refusal, unable = unmade_checks.refusal(facts), unmade_checks.unable(facts, record, kit)
    hampered = unable or unmade_checks.hindrance(facts, record, pods, terms, now) or refusal
    return Lacks(
        short=preflight.shortfall(facts, view, terms, kit, pods, now),
        crowded=lack_of_room(facts, record),
        refusal=refusal or (unable if isinstance(view, InPlace) else None),
        hampered=hampered,
        is_unwatched=hampered is not None or unmade_checks.lacks(facts, record, pods),
        is_stopped=is_stopped(facts) or bool(facts.forged),
    )
