"""What the spec says about releases, in the words that the steps ask in."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from hardened.api.duration import duration_text
from hardened.api.release import Release
from hardened.api.verify import Verify

#: What a promoted stack is kept for at least, once traffic has left it: proxies and ingress controllers follow at their own pace.
LEAST_KEEP = timedelta(seconds=30)
#: The same for a stack that was rejected.
LEAST_KEEP_REJECTED = timedelta(seconds=5)
#: How long a node may take to begin with a pod that works for a release, beyond the pod's own deadline, which counts from then.
POD_START = timedelta(minutes=2)


@dataclass(frozen=True)
class ReleasePolicy:
    """spec.release and spec.verify. A step that asks for a field of its own finds it in one of them."""

    release: Release = field(default_factory=Release)
    verify: Verify = field(default_factory=Verify)

    @property
    def is_manual(self) -> bool:
        """Whether a person promotes."""
        return self.release.promotion == "Manual"

    @property
    def auto_promote_after(self) -> timedelta | None:
        """After which time in Approval the revision is promoted by itself; None for never."""
        return self.release.auto_promote_after

    @property
    def progress_deadline(self) -> timedelta:
        """Within which time a step must get further."""
        return self.release.progress_deadline

    @property
    def for_so_long(self) -> str:
        """What a message ends with that says the deadline has passed. Example: " for 10m (spec.release.progressDeadline)"."""
        return f" for {duration_text(self.progress_deadline)} (spec.release.progressDeadline)"

    @property
    def keep_previous(self) -> timedelta:
        """How long the previous colour is kept."""
        return self.release.keep_previous

    @cached_property
    def window(self) -> timedelta:
        """How long a revision is watched under live traffic."""
        return self.verify.after_cutover.window

    @property
    def has_checks_before(self) -> bool:
        """Whether there are checks before the cutover."""
        return bool(self.verify.before_cutover)

    @property
    def migrates_within(self) -> timedelta | None:
        """How long its migration may take, with the time that its pod has to start; None where there is none."""
        return self.release.migrate.deadline + POD_START if self.release.migrate else None

    def preview_size(self, replicas: int) -> int:
        """How many of `replicas` run while checks do; all at once where nothing is looked at before the cutover: one wait, not two."""
        return min(self.release.preview_replicas, replicas) if self.has_checks_before or self.is_manual else replicas

    def is_watched_after(self, *, has_way_back: bool) -> bool:
        """Whether a revision has a window to pass in VerifyAfter. Where there is nothing to be led back to: only what is asked for."""
        return self._is_declared or has_way_back

    @cached_property
    def _is_declared(self) -> bool:
        """Whether anything is written down of what a revision is to pass: a check, a window, a number of restarts. Nothing says nothing."""
        after = self.verify.after_cutover
        written = [getattr(after, name) for name in after.model_fields_set]
        return bool(self.verify.before_cutover) or any(value is not None and value != [] for value in written)
