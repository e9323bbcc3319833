"""What every verb has: the common flags, a console, and the cluster once it is needed."""

import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import typer

from hardenctl.cluster import api_cluster
from hardenctl.cluster.api_cluster import Cluster
from hardenctl.output import duration
from hardenctl.output.console import Console
from hardenctl.output.duration import NEVER, Deadline


@dataclass(frozen=True)
class Flags:
    """The flags that every verb takes, as kubectl spells them."""

    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Namespace (default: the context's).")] = ""
    context: Annotated[str, typer.Option("--context", help="Context of the kubeconfig.")] = ""
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig to use instead of KUBECONFIG.")] = ""
    as_user: Annotated[str, typer.Option("--as", metavar="USER", help="User to act as.")] = ""
    request_timeout: Annotated[str, typer.Option("--request-timeout", metavar="TIME", help="Timeout of one request; 0 for none.")] = "30s"
    no_color: Annotated[bool, typer.Option("--no-color", help="No colour, even on a terminal.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the requests to the API server.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no hints.")] = False


@dataclass(frozen=True)
class Session:
    """One run of one verb."""

    flags: Flags
    """As they were given."""
    console: Console
    """Where it prints."""
    deadline: Deadline = NEVER
    """When the verb is to have ended, as --timeout says."""

    def until(self, deadline: Deadline) -> "Session":
        """The same, whose calls to the cluster end by then."""
        return replace(self, deadline=deadline)

    def wait(self, span: float | None) -> Deadline:
        """When a wait ends: as --timeout says, else after so many seconds, None for never."""
        return Deadline.after(span) if self.deadline.at is None else self.deadline

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster that the flags name. Raises CommandEnd where the kubeconfig cannot be used."""
        return api_cluster.connect(
            kubeconfig=self.flags.kubeconfig,
            context=self.flags.context,
            namespace=self.flags.namespace,
            user=self.flags.as_user,
            request_timeout=duration.seconds(self.flags.request_timeout, "--request-timeout") or None,
            deadline=self.deadline,
            trace=self.console.trace,
        )

    @property
    def namespace(self) -> str:
        """The flag's, else the context's, else `default`."""
        return self.cluster.namespace

    @property
    def cluster_flags(self) -> str:
        """What a next command, ours or kubectl's, needs to reach the same cluster as the same user. Example: " --context 'a b'"."""
        given = {"--kubeconfig": self.flags.kubeconfig, "--context": self.flags.context, "--as": self.flags.as_user}
        return "".join(f" {flag} {shlex.quote(value)}" for flag, value in given.items() if value)
