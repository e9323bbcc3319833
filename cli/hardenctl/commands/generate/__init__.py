"""`generate`: what a repository keeps beside its services, a module each."""

VERBS = {
    "rbac": "Print a role for each verb, with the rights that it needs.",
}
EXAMPLES = (
    "generate rbac --verb deploy -n shop            # a Role for a pipeline that deploys",
    "generate rbac > roles.yaml                     # a ClusterRole for each verb",
)
