"""What is asked for by hand, seen from the release at work: what becomes of it, and what it may do."""

from dataclasses import replace
from datetime import datetime

from hardened.core.actions import admission
from hardened.core.actions.admission import Admission, AdmissionContext, RollbackTarget
from hardened.core.actions.log import FINAL, entries_of
from hardened.core.actions.replies import concerns, crowded
from hardened.core.desired.metadata import action_owner
from hardened.core.model.annotations import RevisionAnnotations, annotations_of
from hardened.core.model.release import Input, Migration, ReleasePolicy, ReleaseState, Step
from hardened.core.observe.facts import Facts
from hardened.core.release.view import is_older
from hardened.core.revisions.revision import key_of, revision_of, stored

#: The first schema revision of the CRD that keeps all that is decided on actions: 3 brought their entries and what a release by hand
#: records, 5 its strategy, without which a rollback in place would be read as one of BlueGreen. An older one forgets what it was told.
ACTIONS_SCHEMA = 5


def judged(facts: Facts, record: ReleaseState | None, view: Input, terms: ReleasePolicy, now: datetime) -> Admission:
    """What becomes of the actions of a service, and what they move at once."""
    owner, entries = action_owner(facts.svc), entries_of(facts.before)
    mine = [live for live in facts.observed.actions if concerns(live, owner)]
    crowd = {live["metadata"]["name"] for live in crowded(mine, entries)}
    mine = [live for live in mine if live["metadata"]["name"] not in crowd]
    present = {live["metadata"]["name"] for live in mine}
    unanswered = {live["metadata"]["name"] for live in mine if (live.get("status") or {}).get("phase") not in FINAL}
    return admission.judged(admission.unseen(mine, entries), entries, _stakes(facts, record, view, terms), now, present, unanswered)


def with_requests(view: Input, ruling: Admission, record: ReleaseState | None) -> Input:
    """The view with what is asked for by hand, and not done yet."""
    key = admission.pending_retry(ruling.entries)
    return replace(
        view,
        rollback=admission.pending_rollback(ruling.entries),
        abort=admission.pending_abort(ruling.entries, record),
        rejected=view.rejected - {key},
    )


def _stakes(facts: Facts, record: ReleaseState | None, view: Input, terms: ReleasePolicy) -> AdmissionContext:
    def key(revision: str) -> str:
        return _key(facts, record, revision)

    def targets() -> list[RollbackTarget]:
        kept = [(stored(live), annotations_of(live, revision_of(live))) for live in facts.kept.usable]
        # To a worker, which has no ports, no Service could be switched.
        is_possible = facts.svc.spec.effective_strategy != "BlueGreen"
        promoted = [(r, m) for r, m in kept if r and m.promotion and (is_possible or r.fields.get("ports"))]
        found = [RollbackTarget(r.name, m.promotion) for r, m in promoted if not {key(r.name), m.promoted_key} & view.rejected]
        return sorted(found, key=lambda t: -t.promotion)

    def crosses(revision: str) -> str:
        serves = record is not None and record.step in (Step.CUTOVER, Step.VERIFY_AFTER) and record.migration is Migration.DONE
        is_undone = view.hooks.undoes_late and view.hooks.undo_within is not None
        return record.place.revision if record and serves and not is_undone else _crossed(facts, revision)

    is_deaf = is_older(facts.observed.crd_schema, ACTIONS_SCHEMA)
    return AdmissionContext(record, view, terms, targets, key, _obstacle(facts), is_deaf, crosses)


def _key(facts: Facts, record: ReleaseState | None, revision: str) -> str:
    """What a rejection of this revision is remembered by: a hash of it and of its own checks, and not of those of another spec.

    Of what the spec asks for, those that it asks for now; of what is released, or was promoted before, those that it was to pass then.
    """
    if revision != facts.wanted.name:
        if record and record.key and record.place.revision == revision:
            return record.key
        if known := facts.marks(revision).promoted_key:
            return known
    return key_of(revision, facts.svc.spec)


def is_proven(facts: Facts, record: ReleaseState | None, view: Input) -> bool:
    """Whether what the spec asks for may be gone back to without checks: see Input.

    What a rollback has just left is rejected. Checks that are new, so that neither this revision nor the one that serves has passed them,
    are to be passed.
    """
    if view.stable is None or view.wanted in ("", view.stable.revision) or facts.svc.spec.effective_strategy != "BlueGreen":
        return False
    marks = facts.marks(view.wanted)
    is_left = record is not None and record.left is not None and record.left.revision == view.wanted
    if not marks.promotion or is_left or {marks.promoted_key, view.key} & view.rejected:
        return False
    passed = {marks.promoted_key or view.key, record.key if record else ""}
    return not passed.isdisjoint({view.key, key_of(view.stable.revision, facts.svc.spec)}) and not _crossed(facts, view.wanted)


def _crossed(facts: Facts, revision: str) -> str:
    """A revision whose migration ran since another one was promoted, and was not undone; "" for none."""
    kept = [(revision_of(live), annotations_of(live, revision_of(live))) for live in facts.kept.usable]
    promoted = next((marks.promotion for name, marks in kept if name == revision), 0)
    return next((name for name, marks in kept if _ran_since(marks, promoted)), "")


def _ran_since(marks: RevisionAnnotations, promotion: int) -> bool:
    """Whether a migration of a revision with these marks ran since that promotion, as far as is known, and was not undone."""
    if marks.migrated is None or marks.promotion:
        return marks.migrated is not None and marks.promotion > promotion
    has_served = any(r.after_cutover for r in marks.rejections) or _is_epoch_of(marks.migrated.release, marks.left_by)
    was_undone = marks.migrated.undo and (marks.migrated.undoes_late or not has_served)
    return marks.migrated.since > promotion and not was_undone


def _is_epoch_of(release: str, epoch: str) -> bool:
    """Whether what a release marks with is this. False for what cannot be read."""
    try:
        return datetime.fromisoformat(release).isoformat(timespec="milliseconds") == epoch
    except ValueError:
        return False


def _obstacle(facts: Facts) -> str:
    return "spec.suspend is true: nothing is changed until it is false" if facts.svc.spec.suspend else ""
