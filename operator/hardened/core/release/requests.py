"""What is asked for by hand, seen from the release at work: what becomes of it, and what it may do."""

from dataclasses import replace
from datetime import datetime

from hardened.api.action import HardenedServiceActionSpec
from hardened.api.steps import Step
from hardened.core.actions import admission, backups, restores
from hardened.core.actions.admission import Admission
from hardened.core.actions.log import FINAL, entries_of
from hardened.core.actions.replies import concerns, crowded
from hardened.core.actions.ruling import AdmissionContext, RollbackTarget
from hardened.core.actions.seeking import seeking
from hardened.core.actions.with_data import DataOf, data_of
from hardened.core.desired.metadata import action_owner
from hardened.core.hold.dependents import busy_dependents
from hardened.core.hold.door import is_at_work, is_let_go
from hardened.core.model.annotations import RevisionAnnotations, annotations_of
from hardened.core.model.hold import Hold
from hardened.core.model.input import Input
from hardened.core.model.kit import BackupKit
from hardened.core.model.state import Migration, ReleaseState
from hardened.core.observe.facts import Facts
from hardened.core.release.inputs import is_older
from hardened.core.revisions.history import backup_of
from hardened.core.revisions.revision import key_of, revision_of, stored

#: The first schema revision of the CRD that keeps all that is decided on actions: 3 brought their entries and what a release by hand
#: records, 5 its strategy, without which a rollback in place would be read as one of BlueGreen. An older one forgets what it was told.
ACTIONS_SCHEMA = 5
#: The first that keeps all of a hold: 12 brought it, 13 that of a rollback with data, 14 that the data may have changed.
HOLD_SCHEMA = 14


def admitted(facts: Facts, state: ReleaseState | None, seen: Input, kit: BackupKit) -> Admission:
    """What becomes of the actions of a service, and what they move at once. kit: of the pods that make backups."""
    owner, entries = action_owner(facts.svc), entries_of(facts.before)
    mine = [live for live in facts.observed.actions if concerns(live, owner)]
    crowd = {live["metadata"]["name"] for live in crowded(mine, entries)}
    mine = [live for live in mine if live["metadata"]["name"] not in crowd]
    present = {live["metadata"]["name"] for live in mine}
    unanswered = {live["metadata"]["name"] for live in mine if (live.get("status") or {}).get("phase") not in FINAL}
    return admission.judged(admission.unseen(mine, entries), entries, _context(facts, state, seen, kit), seen.now, present, unanswered)


def with_requests(seen: Input, found: Admission, state: ReleaseState | None, hold: Hold | None) -> Input:
    """The input with what is asked for by hand, and not done yet. hold: as status has it."""
    key = admission.pending_retry(found.entries)
    return replace(
        seen,
        rollback=admission.pending_rollback(found.entries, hold),
        abort=admission.pending_abort(found.entries, state),
        rejected=seen.rejected - {key},
        is_held=seen.is_held or hold is not None,
    )


def _context(facts: Facts, state: ReleaseState | None, seen: Input, kit: BackupKit) -> AdmissionContext:
    def key(revision: str) -> str:
        return _key(facts, state, revision)

    def targets() -> list[RollbackTarget]:
        kept = [(stored(live), annotations_of(live, revision_of(live))) for live in facts.kept.usable]
        # To a worker, which has no ports, no Service could be switched.
        is_possible = facts.svc.spec.effective_strategy != "BlueGreen"
        promoted = [(r, m) for r, m in kept if r and m.promotion and (is_possible or r.fields.get("ports"))]
        found = [RollbackTarget(r.name, m.promotion) for r, m in promoted if not {key(r.name), m.promoted_key} & seen.rejected]
        return sorted(found, key=lambda t: -t.promotion)

    def crosses(revision: str) -> str:
        serves = state is not None and state.step in (Step.CUTOVER, Step.VERIFY_AFTER) and state.migration is Migration.DONE
        is_undone = seen.migration.undoes_late and seen.migration.undo_within is not None
        return state.target.revision if state and serves and not is_undone else _crossed(facts, revision)

    is_deaf = is_older(facts.observed.crd_schema, ACTIONS_SCHEMA)

    def stops_backup(action: str, name: str) -> str:
        return backups.obstacle(facts, kit, entries_of(facts.before), action, name)

    def stops_restore(asked: HardenedServiceActionSpec) -> str:
        if is_older(facts.observed.crd_schema, HOLD_SCHEMA):
            return restores.OLD_CRD
        busy = [] if asked.into or not _stops_dependents(facts, asked.backup) else busy_dependents(facts)
        text = f"{', '.join(busy)} would be stopped, and is being released: wait for the end of that, or abort it" if busy else ""
        return restores.obstacle(facts, kit, entries_of(facts.before), asked.backup or "", asked.into or "") or text

    def data(revision: str) -> DataOf:
        return _data_of(facts, kit, revision)

    return AdmissionContext(
        state,
        seen,
        targets,
        key,
        _obstacle(facts),
        is_deaf,
        crosses,
        stops_backup,
        stops_restore,
        data,
        facts.hold,
        seeking(entries_of(facts.before)),
        is_let_go(facts, facts.hold, entries_of(facts.before)),
        is_at_work(facts, facts.hold, entries_of(facts.before)),
    )


def _data_of(facts: Facts, kit: BackupKit, revision: str) -> DataOf:
    found = backup_of(facts.before, revision)
    if is_older(facts.observed.crd_schema, HOLD_SCHEMA):
        return DataOf(lacks=restores.OLD_CRD)
    backup = next((each for each in facts.svc.spec.backups or () if found and each.name == found.name), None)
    why = restores.obstacle(facts, kit, entries_of(facts.before), found.name) if found else ""
    return data_of(revision, found, backup, why)


def _stops_dependents(facts: Facts, backup: str | None) -> bool:
    return any(each.name == backup and each.stops == "Dependents" for each in facts.svc.spec.backups or ())


def _key(facts: Facts, state: ReleaseState | None, revision: str) -> str:
    """What a rejection of this revision is remembered by: a hash of it and of its own checks, and not of those of another spec.

    Of what the spec asks for, those that it asks for now; of what is released, or was promoted before, those that it was to pass then.
    """
    if revision != facts.wanted.name:
        if state and state.key and state.target.revision == revision:
            return state.key
        if known := facts.annotations(revision).promoted_key:
            return known
    return key_of(revision, facts.svc.spec)


def is_proven(facts: Facts, state: ReleaseState | None, seen: Input) -> bool:
    """Whether what the spec asks for may be gone back to without checks: see Input.

    What a rollback has just left is rejected. Checks that are new, so that neither this revision nor the one that serves has passed them,
    are to be passed.
    """
    if seen.stable is None or seen.wanted in ("", seen.stable.revision) or facts.svc.spec.effective_strategy != "BlueGreen":
        return False
    annotations = facts.annotations(seen.wanted)
    is_left = state is not None and state.left is not None and state.left.revision == seen.wanted
    if not annotations.promotion or is_left or {annotations.promoted_key, seen.key} & seen.rejected:
        return False
    passed = {annotations.promoted_key or seen.key, state.key if state else ""}
    return not passed.isdisjoint({seen.key, key_of(seen.stable.revision, facts.svc.spec)}) and not _crossed(facts, seen.wanted)


def _crossed(facts: Facts, revision: str) -> str:
    """A revision whose migration ran since another one was promoted, and was not undone; "" for none."""
    kept = [(revision_of(live), annotations_of(live, revision_of(live))) for live in facts.kept.usable]
    promoted = next((annotations.promotion for name, annotations in kept if name == revision), 0)
    return next((name for name, annotations in kept if _ran_since(annotations, promoted)), "")


def _ran_since(annotations: RevisionAnnotations, promotion: int) -> bool:
    """Whether a migration of a revision with these annotations ran since that promotion, as far as is known, and was not undone."""
    if annotations.migrated is None or annotations.promotion:
        return annotations.migrated is not None and annotations.promotion > promotion
    has_served = any(r.after_cutover for r in annotations.rejections) or _is_epoch_of(annotations.migrated.release, annotations.left_by)
    was_undone = annotations.migrated.undo and (annotations.migrated.undoes_late or not has_served)
    return annotations.migrated.since > promotion and not was_undone


def _is_epoch_of(release: str, fencing_token: str) -> bool:
    """Whether what a release marks with is this. False for what cannot be read."""
    try:
        return datetime.fromisoformat(release).isoformat(timespec="milliseconds") == fencing_token
    except ValueError:
        return False


def _obstacle(facts: Facts) -> str:
    return facts.svc.spec.suspension_text if facts.svc.spec.suspend else ""
