"""The runner: what backup pods run, beside restic and the source's own programs.

`python -m hardened.runner VERB`, with a JSON document in HARDENED_TASK, and a JSON report of at most 4096 bytes in /dev/termination-log,
or in the path in HARDENED_REPORT. Exit status 0: Succeeded; 1: Failed. Nothing here imports the rest of Hardened but its errors.

A pod has a scratch volume at /scratch (another place by HARDENED_SCRATCH) and may have a read-only root file system and any user: all that
programs write, caches and temporary files too, is in that volume. No pod sets `hostname`: restic takes the lock of another pod with the
same host name for a dead one. What the environment has under names with PASSWORD, KEY, TOKEN, SECRET, AUTH, … is never printed.

dump     An init container of a backup pod, with the backup's own task: writes the dump of a database into `path`, under its name only
         when it is whole. postgres: PG* variables; database.pgdump. redis: REDIS_HOST, REDIS_PORT, REDISCLI_AUTH, and REDIS_USER; dump.rdb.
         Other sources need none: an image of the user's writes files into `path`, or a claim is mounted there, read-only.

backup   {"kind": "backup", "source": "postgres|redis|volume|command", "path": "/scratch/dump", "host": "NS/SERVICE",
          "tag": "NS/SERVICE/BACKUP", "min_bytes": 1, "init": true, "extra_tags": ["revision-3"], "keep_tags": ["revision-3"],
          "retention": {"last": 3, "hourly": 0, "daily": 7, "weekly": 4, "monthly": 6, "yearly": 0}}
         and RESTIC_REPOSITORY, RESTIC_PASSWORD, AWS_… in the environment. `retention` may be null: nothing is ever forgotten.
         Stores what is in `path`; then, where that succeeded, forgets snapshots of this tag by the retention, and prunes.

The report:

    {"kind": "backup", "result": "Succeeded", "reason": "", "message": "", "snapshot": "<64 hex digits>", "bytes": 860, "files": 1,
     "seconds": 1.5, "dumped_at": "2026-01-02T03:04:05.678Z",
     "forget": {"result": "Succeeded", "reason": "", "message": "2 removed"}, "prune": {"result": "Succeeded", "reason": "", "message": ""}}

`result` is Succeeded or Failed, of `forget` and `prune` also Skipped. `reason` is one of `failures.Reason`, "" unless Failed. `snapshot` is
null where none was stored; it is there for a run that Failed with UnreadableFiles, too, and then has the tag `pending`. `dumped_at` is when
the dump began, null where the runner cannot know (source `command`): then the Job's start counts. The report of `dump` has no more than
kind, result, reason, message, seconds and dumped_at. `forget` and `prune` never change the result of the backup.
"""
