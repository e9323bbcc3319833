"""PostgreSQL's programs of the source's own image, for pods that restore its dumps: a later version writes what an earlier one cannot read.

They are called by files in a folder of the scratch volume: see hardened.runner.elsewhere.
"""

from typing import Final

from hardened.api import names
from hardened.core.desired.restic_pod import SCRATCH, BackupRun, container_of
from hardened.core.model.manifest import Manifest

#: Where the runner leaves what it wants the programs to do; and who does it.
_CALLS: Final = f"{SCRATCH}/calls"
SERVE: Final = (
    'trap "exit 0" TERM; mkdir -p "$0"; cd "$0" || exit 1; while :; do for call in *.call; do [ -f "$call" ] || continue; n=${call%.call}; '
    'mv "$call" "$n.sh"; { sh "./$n.sh" <"$n.in" >"$n.out" 2>"$n.err"; echo $? >"$n.end"; mv "$n.end" "$n.code"; } & done; sleep 0.1; done'
)
#: initdb asks for the name of its user, whom no image of others knows.
_USERS: Final = "root:x:0:0:root:/root:/sbin/nologin\nhardened:x:10001:10001::/scratch:/sbin/nologin\n"
_USERS_FIELD: Final = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{names.USERS_ANNOTATION}']"}


def with_programs(template: Manifest, run: BackupRun) -> Manifest:
    """The template of a pod whose one container is the runner, with a container of the image that made the dump, which ends with it.

    As it is where the operator's image makes dumps.
    """
    image = run.backup.source.postgres.image if run.backup.source.postgres else None
    if image is None:
        return template
    meta, spec = template["metadata"], template["spec"]
    (runner,) = spec["containers"]
    users = {"name": "users", "mountPath": "/etc/passwd", "subPath": "passwd", "readOnly": True}
    mounted = [each for each in runner["volumeMounts"] if each["name"] != "writable-repository"]
    given: Manifest = {"image": image, "command": ["sh", "-c", SERVE, _CALLS], "restartPolicy": "Always"}
    volume = {"name": "users", "downwardAPI": {"items": [{"path": "passwd", "fieldRef": _USERS_FIELD}]}}
    told = {"name": "HARDENED_POSTGRES", "value": _CALLS}
    return {
        "metadata": {**meta, "annotations": {**meta["annotations"], names.USERS_ANNOTATION: _USERS}},
        "spec": {
            **spec,
            "initContainers": [container_of("postgres", given, run, mounts=[*mounted, users], scratch="0")],
            "containers": [{**runner, "env": [*runner["env"], told]}],
            "volumes": [*spec["volumes"], volume],
        },
    }
