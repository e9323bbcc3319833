"""`generate`: what a repository keeps beside its services, a module each."""

VERBS = {
    "rbac": "Print a role for each verb, with the rights that it needs.",
    "argocd": "Print the Argo CD Application of a folder of services.",
    "flux": "Print the Flux GitRepository and Kustomization of a folder.",
}
EXAMPLES = (
    "generate rbac --verb deploy -n shop            # a Role for a pipeline that deploys",
    "generate rbac > roles.yaml                     # a ClusterRole for each verb",
    "generate argocd --name shop -n shop --repo-url https://git.example/shop/deploy.git --path services",
    "generate flux --name shop -n shop --repo-url https://git.example/shop/deploy.git --path services",
)
