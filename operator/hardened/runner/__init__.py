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
         Stores what is in `path`; then, where that succeeded, forgets snapshots of this tag by the retention, and prunes. postgres, with
         PG* variables: drops what restores have replaced a day ago or earlier, by its name and its comment.

verify   {"kind": "verify", "source": …, "path": "/scratch/restored", "tag": …, "snapshot": "latest", "deadline_seconds": 600,
          "sql": "select count(*) > 0 from orders", "assert_command": ["sh", "-c", "test -s important"]}
         Restores a snapshot of this tag into `path`: one by its id or the beginning of one, or the newest that is not pending. A dump of
         postgres is restored into a server of the pod's own, one of redis is loaded by one. `sql` passes by one row with one true value;
         without it there must be a table with rows. `assert_command` passes by exit status 0; it is run in `path`, with PG* variables of
         that server, or its REDIS_SOCKET. `sql` and `assert_command` may be left out.

restore  {"kind": "restore", "source": …, "path": "/scratch/restored", "host": …, "tag": …, "snapshot": "0123abcd",
          "run": "20260102_030405", "pending": false, "safety": true, "into": "orders_then"}
         Stores what is there under the tag NS/SERVICE/BACKUP/before-restore, and brings the snapshot's data back. Killed anywhere, the same
         task does the rest, and when it is done it does nothing more; `run` makes names its own: [a-z0-9_]{1,24}. `pending` allows a
         snapshot that lacks files; without `safety` nothing is stored first.
         postgres: PG* variables; into a new database that takes the name of PGDATABASE in one transaction; what was there is then
         PGDATABASE_before_RUN, with a comment that says so. With `into`, into a new database of that name and nothing else.
         redis: REDIS_* variables; the server must be able to reach the pod: it replicates from a server there. That is one of ours, which
         loads dumps of Redis 7.0 and older; or, with "scratch_port": 6380, another container's of the pod, in the user's image:
         `redis-server --dir /scratch/restored --dbfilename dump.rdb --port 6380 --save "" --appendonly no --protected-mode no`, begun after
         an init container with the verb fetch. It is shut down at the end.
         volume: `path` is its mount; what is newer goes, but for lost+found. command: files in `path`, for the container that reads them.

With HARDENED_POSTGRES, a folder of the scratch volume, initdb, postgres, pg_dump and pg_restore are those of another container of the pod:
of the image that made the dump. See hardened.runner.elsewhere for what that container runs.

find     A restore's task: looks the snapshot up, and does no more: it takes no lock. The report is a restore's.
fetch    The same task: puts the files into `path`, and does no more. The report is a restore's.

The report:

    {"kind": "backup", "result": "Succeeded", "reason": "", "message": "", "snapshot": "<64 hex digits>", "bytes": 860, "files": 1,
     "seconds": 1.5, "dumped_at": "2026-01-02T03:04:05.678Z",
     "forget": {"result": "Succeeded", "reason": "", "message": "2 removed"}, "prune": {"result": "Succeeded", "reason": "", "message": ""},
     "drop": {"result": "Skipped", "reason": "", "message": ""}}

`result` is Succeeded or Failed, of `forget`, `prune` and `drop` also Skipped. `reason` is one of `failures.Reason`, "" unless Failed.
`snapshot` is null where none was stored; it is there for a run that Failed with UnreadableFiles, too, and then has the tag `pending`.
`dumped_at` is when the dump began, null where the runner cannot know (source `command`): then the Job's start counts. The report of `dump`
has no more than kind, result, reason, message, seconds and dumped_at. `forget`, `prune` and `drop` never change the result of the backup;
others have none. In a report of verify and restore, `snapshot` is the one that was restored, `dumped_at` when it was made, and `before`, of
a restore, what was there, null where nothing was stored; `written` tells whether a restore got so far that it may have changed any data.
"""
