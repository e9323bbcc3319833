"""`generate rbac`: the rights that each verb needs, as roles."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from hardenctl.cluster.rights import VERB_RIGHTS, Right, rules_of
from hardenctl.cluster.session import Session
from hardenctl.output.objects import full_name, print_objects
from hardenctl.output.outcome import Exit, usage
from hardened.core.model.manifest import Manifest

OUTPUTS = ("yaml", "json", "name")
EXAMPLES = (
    "generate rbac                                  # a ClusterRole for each verb",
    "generate rbac --verb status -n shop            # a Role of namespace shop",
    "generate rbac --verb deploy --verb 'backup create' -n shop | kubectl apply -f -",
)
MORE = (
    "With -n, a Role of that namespace for each verb; without it, a ClusterRole, to be bound by a RoleBinding where it is to hold. What a "
    "verb needs outside the namespace of its service is a ClusterRole of its own, whose name ends in -cluster, to be bound by a "
    "ClusterRoleBinding; without it `check`, `version`, `preflight` and `diff` say what they do not know. No role gives a right to "
    "Secrets. `rollback --with-data` needs that of restore, too; `get -A` that of get, bound by a ClusterRoleBinding. Asks no cluster."
)
_API = "rbac.authorization.k8s.io/v1"


def run(
    session: Session,
    verbs: Annotated[list[str] | None, typer.Option("--verb", metavar="VERB", help="Only for this verb (default: for all).")] = None,
) -> Exit:
    """From the table of rights."""
    wanted = list(dict.fromkeys(" ".join(verb.split()) for verb in verbs or VERB_RIGHTS))
    for verb in wanted:
        if verb not in VERB_RIGHTS:
            raise usage(f"--verb {verb!r} is no verb that needs a right", f"it is one of: {', '.join(VERB_RIGHTS)}")
    found = [role for verb in wanted for role in roles(verb, session.flags.namespace)]
    print_objects(session.console, found, called=full_name)
    return Exit.OK


def roles(verb: str, namespace: str) -> Iterator[Manifest]:
    """The role of a verb, and another one for what it needs outside the namespace. namespace: "" for a ClusterRole."""
    rights, name = VERB_RIGHTS[verb], f"hardenctl-{verb.replace(' ', '-')}"
    if inside := [each for each in rights if not each.is_cluster_wide]:
        yield _role("Role" if namespace else "ClusterRole", {"name": name, **({"namespace": namespace} if namespace else {})}, inside)
    if beyond := [each for each in rights if each.is_cluster_wide]:
        yield _role("ClusterRole", {"name": f"{name}-cluster"}, beyond)


def _role(kind: str, meta: dict[str, str], rights: Iterable[Right]) -> Manifest:
    return {"apiVersion": _API, "kind": kind, "metadata": meta, "rules": rules_of(rights)}
