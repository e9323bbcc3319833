"""The restic repository that the environment names: each call of restic that a run makes, and what it means when it fails.

No call takes away another's live lock. A dead one goes once restic itself calls it dead: half an hour after its last sign of life.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hardened.runner.failures import Failed, Reason
from hardened.runner.first_run import SPREAD, alone_in
from hardened.runner.programs import Ended, OutOfTime, Programs
from hardened.runner.wording import LOCKED, UNREADABLE, failure_of, has_no_bucket, is_damage, last_words

#: Seconds to reach a repository. restic itself tries for 15 minutes, and says "unreachable" only then.
REACH = 120.0
#: Seconds that a run waits for others that hold the repository. A run that was killed holds it for 30 minutes.
PATIENCE = 40 * 60.0
#: The same, of what the next run does as well.
LESS_PATIENCE = 10 * 60.0
#: Seconds after which a wait looks again for locks that have died meanwhile.
_LOOK_AGAIN = 120.0
#: A snapshot that lacks files: it never counts, and is never restored by default.
PENDING = "pending"
#: Restores whose safety snapshots are kept.
RESTORES = 5
#: The word for the newest snapshot that is whole.
LATEST = "latest"
#: Files that are named, of those that restic had trouble with.
_MOST_NAMED = 5


@dataclass(frozen=True)
class Stored:
    """A snapshot that was made. missing: what could not be read, "" where it is whole."""

    snapshot: str
    bytes: int
    files: int
    missing: str = ""


@dataclass(frozen=True)
class Snapshot:
    """One of the repository. root: the folder that it holds, as it was named when it was made."""

    id: str
    tags: frozenset[str]
    time: datetime
    root: str

    @property
    def is_pending(self) -> bool:
        return PENDING in self.tags


def before_restore(tag: str) -> str:
    """The tag of what was there before a restore: another one, so that it takes no place among backups, and is never the latest of them."""
    return f"{tag}/before-restore"


def of_run(run: str) -> str:
    """The tag of what one restore has stored, however often it is tried."""
    return f"restore-{run}"


class Repository:
    """patience: see PATIENCE and LESS_PATIENCE; reach: see REACH; spread: see first_run.SPREAD."""

    def __init__(
        self,
        programs: Programs,
        *,
        reach: float = REACH,
        patience: float = PATIENCE,
        less_patience: float = LESS_PATIENCE,
        spread: float = SPREAD,
    ) -> None:
        self._programs = programs
        self._spread = spread
        self._reach = reach
        self._patience = patience
        self._less_patience = less_patience

    def open(self, *, first_run: str | None = None) -> None:
        """Raises Failed where it is not there, not ours, or out of reach.

        first_run: whose backup may make a repository that is not there; None for nobody's.
        """
        failed = self._closed()
        if failed and failed.reason == Reason.REPOSITORY_MISSING and first_run is not None:
            with alone_in(self._programs, first_run, self._reach, self._spread):
                # Somebody else's first run may have made it meanwhile.
                failed = self._closed()
                if failed and failed.reason == Reason.REPOSITORY_MISSING:
                    self._programs.say("the repository is not there yet, and is made")
                    failed = self._made()
        if failed:
            raise failed

    def store(self, path: Path, host: str, tags: Sequence[str]) -> Stored:
        """A new snapshot of the folder. What could not be read is told, and then the snapshot is tagged as pending."""
        said = _Said()
        labels = [f"--host={host}", *(f"--tag={tag}" for tag in tags)]
        words = ["backup", "--json", "--no-scan", *labels, f"--exclude={path}/lost+found", "--", str(path)]
        ended = self._locking(words, self._patience, said)
        if ended.code not in (0, UNREADABLE) or not said.summary:
            raise self._failure(ended)
        stored = Stored(
            str(said.summary["snapshot_id"]), int(said.summary["total_bytes_processed"]), int(said.summary["total_files_processed"])
        )
        return stored if ended.code == 0 else self._pending(stored, f"{said.count} files could not be read: {said.troubles}")

    def snapshots(self, tag: str) -> list[Snapshot]:
        """All with this tag, the oldest first."""
        return self._snapshots(tag)

    def _snapshots(self, *tags: str) -> list[Snapshot]:
        ended = self._restic("snapshots", "--json", "--no-lock", *(f"--tag={tag}" for tag in tags))
        if ended.code:
            raise self._failure(ended)
        found: list[dict[str, Any]] = json.loads(ended.out or "null") or []
        snapshots = [Snapshot(one["id"], frozenset(one.get("tags") or ()), _moment(one["time"]), one["paths"][0]) for one in found]
        return sorted(snapshots, key=lambda snapshot: snapshot.time)

    def stored_before(self, tag: str, run: str) -> Snapshot | None:
        """What was there before this very restore, whole; None before that is stored. tag: of the backup; run: of the restore."""
        found = self._snapshots(before_restore(tag))
        return next((snapshot for snapshot in found if of_run(run) in snapshot.tags and not snapshot.is_pending), None)

    def find(self, tag: str, wanted: str, *, pending: bool = False) -> Snapshot:
        """The snapshot of this tag by its id or the beginning of one, or the newest that is whole for `latest`.

        By its id also what was there before a restore: so a restore is undone. Those of other tags are none: a repository may be shared.
        Raises Failed: with SnapshotUnknown, or SnapshotPending unless `pending`.
        """
        found = self._snapshots(tag, before_restore(tag))
        if wanted == LATEST:
            found = [snapshot for snapshot in found if tag in snapshot.tags and not snapshot.is_pending]
            if not found:
                raise Failed(Reason.SNAPSHOT_UNKNOWN, f"the repository has no whole snapshot of {tag}")
            return found[-1]
        matches = [snapshot for snapshot in found if snapshot.id.startswith(wanted)]
        if len(matches) != 1:
            many = f"{len(matches)} snapshots" if matches else "no snapshot"
            raise Failed(Reason.SNAPSHOT_UNKNOWN, f"the repository has {many} {wanted} of {tag}")
        if matches[0].is_pending and not pending:
            raise Failed(Reason.SNAPSHOT_PENDING, f"the snapshot {wanted} lacks files that could not be read when it was made")
        return matches[0]

    def restore(self, snapshot: Snapshot, target: Path, *, delete: bool = False) -> None:
        """What the snapshot holds, into that folder. delete: what the folder has besides goes, but for lost+found.

        Raises Failed: with SnapshotDamaged where what it holds cannot be read back as it was stored.
        """
        said = _Said()
        words = ["restore", "--json", f"--target={target}", *(["--delete", "--exclude=/lost+found"] if delete else [])]
        ended = self._locking([*words, f"{snapshot.id}:{snapshot.root}"], self._patience, said)
        if ended.code:
            failed = self._failure(ended, Reason.SNAPSHOT_DAMAGED if is_damage(ended.err) else Reason.RESTORE_FAILED)
            raise Failed(failed.reason, f"{failed.message}: {said.troubles}" if said.troubles else failed.message)

    def forget(self, tag: str, retention: Mapping[str, int], keep_tags: Sequence[str]) -> str:
        """Applies the retention to snapshots with this tag, and says what it did.

        What is pending would be counted as one to keep, in place of a good one: it goes first, as there is a newer one that is whole.
        """
        known = self._snapshots(tag, before_restore(tag))
        pending = [snapshot.id for snapshot in known if tag in snapshot.tags and snapshot.is_pending]
        if pending:
            self._forgotten(pending)
        policy = [f"--keep-{period}={count}" for period, count in retention.items()]
        ended = self._forgotten([f"--tag={tag}", "--group-by=", *policy, *(f"--keep-tag={keep}" for keep in keep_tags)])
        groups: list[dict[str, Any]] = json.loads(ended.out or "null") or []
        removed = sum(len(group.get("remove") or ()) for group in groups)
        if sum(before_restore(tag) in snapshot.tags for snapshot in known) > RESTORES:
            self._forgotten([f"--tag={before_restore(tag)}", "--group-by=", f"--keep-last={RESTORES}"])
        return f"{removed + len(pending)} removed"

    def prune(self) -> None:
        """Frees what no snapshot needs any more."""
        ended = self._locking(["prune"], self._less_patience)
        if ended.code:
            raise self._failure(ended)

    def _closed(self) -> Failed | None:
        """Why the repository cannot be opened, or None. Takes no lock: others may work on it."""

        def heed(line: str) -> None:
            if has_no_bucket(line):
                self._programs.end_running()

        try:
            ended = self._restic("cat", "config", "--no-lock", within=self._reach, on_error=heed)
        except OutOfTime as late:
            return Failed(Reason.REPOSITORY_UNREACHABLE, f"no answer within {self._reach:.0f} s: {last_words(late.err)}")
        if ended.code == 0:
            return None
        return self._failure(ended, Reason.REPOSITORY_FAILED if is_damage(ended.err) else Reason.REPOSITORY_UNREACHABLE)

    def _made(self) -> Failed | None:
        try:
            made = self._restic("init", within=self._reach)
        except OutOfTime as late:
            return Failed(Reason.REPOSITORY_UNREACHABLE, f"no answer within {self._reach:.0f} s: {last_words(late.err)}")
        if made.code:
            return self._failure(made, Reason.REPOSITORY_UNREACHABLE)
        failed = self._closed()
        if failed and failed.reason == Reason.REPOSITORY_FAILED:
            return Failed(failed.reason, f"two first runs have made it at the same time: empty it, and run again: {failed.message}")
        return failed

    def _pending(self, stored: Stored, missing: str) -> Stored:
        tagged = self._locking(["tag", "--json", f"--add={PENDING}", stored.snapshot], self._patience)
        changed = [line for line in map(_message, tagged.out.splitlines()) if line.get("message_type") == "changed"]
        if tagged.code or not changed:
            missing += f"; the snapshot could not be tagged as {PENDING}: {last_words(tagged.err)}"
            return Stored(stored.snapshot, stored.bytes, stored.files, missing)
        return Stored(str(changed[0]["new_snapshot_id"]), stored.bytes, stored.files, missing)

    def _forgotten(self, words: Sequence[str]) -> Ended:
        ended = self._locking(["forget", "--json", *words], self._less_patience)
        if ended.code:
            raise self._failure(ended)
        if "unable to remove" in ended.err:  # restic tells it, and ends with 0
            raise self._failure(Ended(1, "", ended.err))
        return ended

    def _locking(self, words: Sequence[str], patience: float, said: "_Said | None" = None) -> Ended:
        """A call that needs a lock: waits for others, and looks meanwhile whether they have died."""
        began = time.monotonic()
        wait = 0.0
        while True:
            on_line, on_error = (said.line, said.error) if said else (None, None)
            ended = self._restic(f"--retry-lock={wait:.0f}s", *words, on_line=on_line, on_error=on_error)
            left = began + patience - time.monotonic()
            if ended.code != LOCKED or left <= 0:
                return ended
            self._programs.say(f"waiting for the repository: {last_words(ended.err)}")
            self._restic("unlock")
            wait = min(left, _LOOK_AGAIN)

    def _restic(
        self,
        *words: str,
        within: float | None = None,
        on_line: Callable[[str], None] | None = None,
        on_error: Callable[[str], None] | None = None,
    ) -> Ended:
        cache = f"--cache-dir={self._programs.scratch / 'cache'}"
        # A line of progress every five minutes is enough of a sign of life, for a log that somebody reads.
        quiet = {"RESTIC_PROGRESS_FPS": "0.00333"}
        return self._programs.run(["restic", cache, *words], within=within, env=quiet, on_line=on_line, on_error=on_error)

    def _failure(self, ended: Ended, otherwise: Reason = Reason.REPOSITORY_FAILED) -> Failed:
        return failure_of(ended.code, ended.err, scratch=str(self._programs.scratch), otherwise=otherwise)


class _Said:
    """What restic says of a backup or a restore, line by line: a large one says a lot. count: of files that it had trouble with."""

    def __init__(self) -> None:
        self.summary: dict[str, Any] = {}
        self.count = 0
        self._first: list[str] = []

    @property
    def troubles(self) -> str:
        """The first ones. Example: "/data/a (permission denied), /data/b (input/output error), 3 more"."""
        more = [f"{self.count - _MOST_NAMED} more"] if self.count > _MOST_NAMED else []
        return ", ".join(self._first + more)

    def line(self, text: str) -> None:
        found = _message(text)
        if found.get("message_type") == "summary":
            self.summary = found

    def error(self, text: str) -> None:
        found = _message(text)
        if found.get("message_type") == "error":
            self.count += 1
            if len(self._first) < _MOST_NAMED:
                self._first.append(f"{found.get('item', '')} ({_cause(found)})")


def _message(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _cause(error: dict[str, Any]) -> str:
    """Example: "open /data/a: permission denied" -> "permission denied"."""
    return str((error.get("error") or {}).get("message", "")).rpartition(": ")[2]


def _moment(text: str) -> datetime:
    """RFC 3339 with any number of digits of a second. Example: "2026-01-02T03:04:05.123456789+01:00" -> 03:04:05.123456 there."""
    return datetime.fromisoformat(re.sub(r"\.(\d+)", lambda found: f".{found[1][:6]:0<6}", text))
