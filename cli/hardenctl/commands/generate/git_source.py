"""What the verbs for GitOps are given: a repository, a path in it, and names; each held to what its tool takes."""

import re
from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.output.duration import seconds, shown
from hardenctl.output.outcome import usage

RepoUrlOption = Annotated[str, typer.Option("--repo-url", metavar="URL", help="The Git repository that the services are in.")]
PathOption = Annotated[str, typer.Option("--path", metavar="FOLDER", help="The folder in it (default: its root).")]
NameOption = Annotated[str, typer.Option("--name", metavar="NAME", help="What the objects are called.")]

_URL = re.compile(r"(?P<scheme>https?|ssh)://(?P<user>[^@/\s]+@)?[^@/\s]+(/\S*)?")
_SCP = re.compile(r"(?P<user>[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^\s/][^\s]*)")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: What git refuses in the name of a branch, as far as anybody would type it.
_NO_REF = re.compile(r"[\s~^:?*\[\\\x00-\x1f\x7f]|\.\.|^[-/.]|//|@\{|[/.]$")


def repo_url(text: str, *, is_scp_taken: bool) -> str:
    """The address of a repository. is_scp_taken: git@host:path is an address, too. Raises CommandEnd (usage).

    A password is refused: what is printed here is made to be committed.
    """
    if not text:
        raise usage("--repo-url is needed", "name the Git repository that the services are in: --repo-url https://git.example/shop.git")
    scp = _SCP.fullmatch(text) if "://" not in text else None
    if scp and is_scp_taken:
        return text
    if scp:
        raise usage(f"--repo-url {text!r} is not a URL", f"write it as ssh://{scp['user'] or ''}{scp['host']}/{scp['path']}")
    found = _URL.fullmatch(text)
    if not found:
        raise usage(f"--repo-url {_without_user(text)!r} is not a URL of Git", "it begins with https://, http:// or ssh://")
    if found["user"] and (":" in found["user"] or found["scheme"] != "ssh"):
        shown_url = _without_user(text)
        raise usage(f"--repo-url {shown_url!r} holds credentials", "leave them out: a repository's credentials belong in a Secret")
    return text


def _without_user(text: str) -> str:
    return re.sub(r"//[^@/]*@", "//", text)


def folder(text: str) -> str:
    """A folder inside the repository, "." for its root. Examples: "./services/" -> "services"; "" -> ".". Raises CommandEnd (usage)."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or ".." in parts:
        raise usage(f"--path {text!r} is not inside the repository", "write it relative to its root, such as services/shop")
    if any(not part.isprintable() for part in parts):
        raise usage(f"--path {text!r} is not the name of a folder")
    return "/".join(parts) or "."


def object_name(text: str, flag: str) -> str:
    """What an object, or a namespace, can be called. flag: what it was given as. Raises CommandEnd (usage)."""
    if not text:
        raise usage(f"{flag} is needed")
    if not _LABEL.fullmatch(text):
        raise usage(f"{flag} {text!r} cannot be a name in Kubernetes", "it has at most 63 lower case letters, digits and -")
    return text


def target_namespace(session: Session) -> str:
    """The namespace of the services. No cluster is asked, and no kubeconfig, so that it has to be named. Raises CommandEnd (usage)."""
    if not session.flags.namespace:
        raise usage("--namespace is needed", "name the namespace of the services: -n shop; no kubeconfig is asked for it")
    return object_name(session.flags.namespace, "--namespace")


def ref(text: str, flag: str) -> str:
    """A branch, a tag, or whatever else git takes for a revision. Raises CommandEnd (usage)."""
    if not text or _NO_REF.search(text):
        raise usage(f"{flag} {text!r} is not a revision that git knows", "name a branch, such as main, or a tag")
    return text


def interval(text: str, flag: str) -> str:
    """A span of time as Go writes it, of a second at least. Examples: "600" -> "10m"; "90s" -> "1m30s". Raises CommandEnd (usage)."""
    span = seconds(text, flag)
    if span < 1:
        raise usage(f"{flag} {text!r} is less than a second")
    return shown(span)
