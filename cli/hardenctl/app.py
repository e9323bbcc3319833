"""The program: its verbs, each loaded when it is called for."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from hardenctl.output.program import PROG
from hardenctl.plain_values import plain

#: The verbs, in the order of the help, each with its summary. The module `hardenctl.commands.<verb>` does the work; a package of that name
#: has verbs of its own, in the same way.
VERBS = {
    "deploy": "Deploy an image, or a file's services, and wait for them.",
    "get": "List services.",
    "status": "Show the status of services, or wait for them.",
    "explain": "Explain why a service is not Ready, or what a reason means.",
    "events": "Show what happened to a service and its pods, in order.",
    "logs": "Print or follow the logs of all pods of a service.",
    "report": "Pack what is known of a service for support, without secrets.",
    "tree": "Show a service as a tree: revisions, colours, pods.",
    "diff": "Show what a file, or another revision, would change.",
    "history": "List the revisions of a service and the state of each.",
    "rollback": "Roll back to a revision that was promoted before.",
    "promote": "Approve a release that awaits promotion.",
    "abort": "Abort a release before it is promoted, or give up a restore.",
    "retry": "Release a rejected or rolled back revision again.",
    "pause": "Pause a release before its next step.",
    "resume": "Resume a paused release.",
    "suspend": "Leave a service as it is, for a time or until `unsuspend`.",
    "unsuspend": "Go on with a suspended service.",
    "backup": "Make or verify a backup now, or list the backups of a service.",
    "restore": "Restore the data of a service from a snapshot.",
    "eject": "Leave a service running, without the operator.",
    "state": "Carry what Git does not have of services to another cluster.",
    "init": "Make a HardenedService of a Deployment, Rollout or compose file.",
    "render": "Print what the operator would create from a file.",
    "preflight": "Check a file or a running service for risks, offline or live.",
    "generate": "Print what a repository keeps beside its services.",
    "check": "Check the cluster, your rights and the operator.",
    "completion": "Print the completion script of a shell, or of kubectl.",
    "version": "Show the versions of hardenctl, operator, CRD and cluster.",
}

#: The flags with a value that kubectl's users put before the verb.
_VALUED = frozenset({"-n", "--namespace", "--context", "--kubeconfig", "--as", "--request-timeout", "-o", "--output"})


#: The verbs that have verbs of their own.
GROUPS = frozenset({"backup", "generate", "state"})


class LazyGroup(TyperGroup):
    """Knows every verb by name and summary; imports only the one that is called."""

    package = "hardenctl.commands"
    verbs: Mapping[str, str] = VERBS
    prefix = ""
    """The name of the group, and a space; "" for the program itself."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, --help for one, without pydantic."""
        return plain(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The real command in place of the entry that stands for it."""
        name, found, rest = super().resolve_command(ctx, args)
        if name is None or found is None:
            return name, found, rest
        from hardenctl.verbs import command

        verb: Any = importlib.import_module(f"{self.package}.{name}")
        if name in GROUPS:
            return name, typer.main.get_group(_group_of(name, verb)), rest
        return name, command(f"{self.prefix}{name}", verb, self.verbs[name]), rest


app = typer.Typer(
    cls=LazyGroup,
    help=f"""Deploy and watch hardened services.

    \b
    Examples:
      {PROG} deploy shop --image registry.example/shop:1.4 --port 8080
      {PROG} deploy -f shop.yaml
      {PROG} status shop
      {PROG} rollback shop
      {PROG} help rollback
    """,
    epilog="Exit codes: 0 ok, 1 failed or degraded, 2 usage or an invalid file, 3 the new version was rejected and the previous one "
    "serves, 4 refused, 5 the cluster could not be asked, 124 timed out, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _stand_in() -> None:
    """Never called: LazyGroup puts the real command in its place."""


def _fill(group: typer.Typer, verbs: Mapping[str, str]) -> None:
    for verb, summary in verbs.items():
        group.command(verb, help=summary)(_stand_in)


def _group_of(name: str, package: Any) -> typer.Typer:
    """The group of a verb that has verbs of its own. package: has VERBS and EXAMPLES."""
    own = type("OwnGroup", (LazyGroup,), {"package": package.__name__, "verbs": package.VERBS, "prefix": f"{name} "})
    shown = "\n".join(f"  {PROG} {example}" for example in package.EXAMPLES)
    group = typer.Typer(
        cls=own,
        name=name,
        help=f"{VERBS[name]}\n\n\b\nExamples:\n{shown}",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    _fill(group, package.VERBS)
    return group


_fill(app, VERBS)


def verb_first(arguments: Sequence[str]) -> list[str]:
    """The same command line with the flags before the verb put after it, and with help and versions as flags or verbs alike.

    Examples: ["-n", "shop", "status", "api"] -> ["status", "-n", "shop", "api"]; ["help", "status"] -> ["status", "--help"];
    ["--version"] -> ["version", "--client"].
    """
    found = _verb_first(arguments)
    match found:
        case ["help", *verbs]:
            return [*verbs, "--help"]
        case ["--version", *rest]:
            return ["version", "--client", *rest]
        case [verb, *rest] if verb in GROUPS:
            return [verb, *_verb_first(rest)]
    return found


def _verb_first(arguments: Sequence[str]) -> list[str]:
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] not in ("--help", "-h", "--"):
        at += 2 if arguments[at] in _VALUED else 1
    if at == 0 or at >= len(arguments) or arguments[at].startswith("-"):
        return list(arguments)
    return [arguments[at], *arguments[:at], *arguments[at + 1 :]]


def main() -> None:
    """Runs the program with the process's arguments, and ends the process."""
    if sys.argv[1:2] == ["__complete"]:
        importlib.import_module("hardenctl.completing.program").main(sys.argv[2:])
        return
    # pydantic would look through everything that is installed for plugins of its own.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    app(args=verb_first(sys.argv[1:]), prog_name=PROG)
