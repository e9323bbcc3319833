"""`state`: what Git does not have of services, out of a cluster and into another one, a module each."""

VERBS = {
    "export": "Print services with their stable and rejected revisions.",
    "import": "Make exported services in a cluster that lacks them.",
}
EXAMPLES = (
    "state export -A > state.yaml                   # before the cluster is lost",
    "state import -f state.yaml --dry-run           # in the new one",
)
