"""`backup`: the verbs of backups, a module each."""

VERBS = {
    "create": "Make a backup now.",
    "verify": "Verify a backup now, by restoring it.",
    "list": "List the backups of a service, with the newest good snapshot of each.",
}
EXAMPLES = (
    "backup list shop",
    "backup create shop nightly             # now, and wait for its end",
    "backup verify shop nightly             # restores its newest snapshot into scratch space, and looks at it",
)
