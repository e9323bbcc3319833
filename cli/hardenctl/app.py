"""The program: its verbs, and how it ends."""

import sys
from collections.abc import Sequence

import typer

from hardenctl.commands import check, deploy, render, status, version
from hardenctl.program import PROG
from hardenctl.verbs import register

app = typer.Typer(
    help=f"""Deploys and watches hardened services.

    \b
    Examples:
      {PROG} deploy shop --image registry.example/shop:1.4 --port 8080
      {PROG} deploy -f shop.yaml
      {PROG} status shop
    """,
    epilog="Exit codes: 0 ok, 1 failed or degraded, 2 usage or an invalid file, 4 refused by the server, 124 timed out, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
for verb in (deploy, status, render, check, version):
    register(app, verb.NAME, verb.run, outputs=verb.OUTPUTS, summary=verb.SUMMARY, examples=verb.EXAMPLES, more=verb.MORE)

#: The flags with a value that kubectl's users put before the verb.
_VALUED = frozenset({"-n", "--namespace", "--context", "--kubeconfig", "--as", "--request-timeout", "-o", "--output"})


def verb_first(arguments: Sequence[str]) -> list[str]:
    """The same command line with the flags before the verb put after it.

    Example: ["-n", "shop", "status", "api"] -> ["status", "-n", "shop", "api"].
    """
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] not in ("--help", "-h", "--"):
        at += 2 if arguments[at] in _VALUED else 1
    if at == 0 or at >= len(arguments) or arguments[at].startswith("-"):
        return list(arguments)
    return [arguments[at], *arguments[:at], *arguments[at + 1 :]]


def main() -> None:
    """Runs the program with the process's arguments, and ends the process."""
    app(args=verb_first(sys.argv[1:]), prog_name=PROG)
