"""What an error means to the person at the prompt: words, a hint, an exit code."""

from collections.abc import Iterable

from hardenctl.cluster.replies import Conflict, FieldConflict, InvalidFields, is_kind_missing
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, unanswered
from hardenctl.output.program import PROG
from hardened.errors import ApiFailure, HardenedError, InvalidSpec, LookAgain, Refused, TryAgain, Vanished

#: Managers behind which a Git repository, or a chart, is the source of the object.
_GITOPS = ("argocd", "kustomize-controller", "helm", "flux")


def explained(error: HardenedError, verb: str, namespace: str, flags: str = "") -> CommandEnd:
    """The same failure, as an end of the command. verb: what was tried, as RBAC calls it; flags: those that name the cluster, for hints."""
    match error:
        case CommandEnd():
            return error
        case InvalidSpec():
            # Files are checked before: what comes here is on the cluster, where a newer CRD may have let it in.
            hint = f"if the cluster's CRD is newer than hardenctl, bring both to the same version: see {PROG} check{flags}"
            return CommandEnd("\n".join(map(str, error.errors)), result=ResultWord.INVALID, hint=hint)
        case TryAgain(status=status) if status >= 500:
            return _server_failed(error)
        case Conflict():
            return _conflict(error.conflicts)
        case InvalidFields():
            return CommandEnd(
                "\n".join(map(str, error.errors)), result=ResultWord.REFUSED, code=Exit.REFUSED, hint="the server refused these fields"
            )
        case Refused(status=403):
            hint = f"ask for the right: kubectl auth can-i {verb} hardenedservices.hardened.dev -n {namespace}{flags}"
            return CommandEnd(error.message, result=ResultWord.REFUSED, code=Exit.REFUSED, hint=hint)
        case Refused() | LookAgain():
            return CommandEnd(error.message, result=ResultWord.REFUSED, code=Exit.REFUSED, hint=_hint(error.message, flags))
        case TryAgain(status=401):
            hint = "the token or certificate is unknown or has expired: log in again, or choose another --context"
            return unanswered("the API server does not accept your credentials", hint)
        case TryAgain(status=0):
            untrusted = "the kubeconfig's certificate-authority is not this server's"
            away = "is this the right --context, and is the cluster up?"
            hint = untrusted if "certificate" in error.message else "" if error.message.endswith("?") else away
            return unanswered(f"cannot reach the cluster: {error.message}", hint)
        case Vanished():
            return _vanished(error, namespace, flags)
        case ApiFailure():
            return _server_failed(error)
    return CommandEnd(str(error))


def _server_failed(error: ApiFailure) -> CommandEnd:
    if error.status == 429:
        wait = f" in {error.retry_after:.0f} s" if isinstance(error, TryAgain) and error.retry_after else ""
        return unanswered("the API server answers too many requests (HTTP 429)", f"try again{wait}; it is overloaded")
    return unanswered(f"the API server failed: {error.message}", "try again; it may be starting or overloaded")


def _vanished(error: Vanished, namespace: str, flags: str) -> CommandEnd:
    if is_kind_missing(error):
        text = "the CRD of HardenedService is not installed in this cluster"
        return CommandEnd(text, result=ResultWord.NOT_FOUND, next_step=f"{PROG} check{flags}")
    if error.message.startswith("namespaces "):
        text = f"there is no namespace {namespace}"
        return CommandEnd(text, result=ResultWord.NOT_FOUND, code=Exit.REFUSED, next_step=f"kubectl create namespace {namespace}{flags}")
    return CommandEnd(error.message, result=ResultWord.NOT_FOUND)


def _conflict(conflicts: Iterable[FieldConflict]) -> CommandEnd:
    conflicts = tuple(conflicts)
    owners = sorted({conflict.manager for conflict in conflicts})
    lines = [f"{conflict.field} is managed by {conflict.manager}, which set another value" for conflict in conflicts]
    if any(owner.lower().startswith(_GITOPS) for owner in owners):
        hint = "change it at its source (Git or the chart): a forced value would be reverted"
    else:
        programs = dict.fromkeys(map(_program, owners))
        hint = f"change it with {' and '.join(programs)}, or take it over with --force-conflicts"
    return CommandEnd("\n".join(lines), result=ResultWord.REFUSED, code=Exit.REFUSED, hint=hint)


def _program(manager: str) -> str:
    """Who writes as this field manager. Examples: "kubectl-edit" -> "kubectl edit"; "kubectl-client-side-apply" -> "kubectl apply"."""
    program, _, verb = manager.partition("-")
    return f"{program} {verb.removeprefix('client-side-')}" if program == "kubectl" and verb else manager


def _hint(message: str, flags: str) -> str:
    if "unknown field" in message or "not declared in schema" in message:
        return f"the CRD in the cluster is older than hardenctl: see {PROG} check{flags}"
    return ""
