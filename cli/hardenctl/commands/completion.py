"""`completion`: what makes a shell complete verbs, flags and the names on the cluster."""

from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit, usage

OUTPUTS = ("text",)
EXAMPLES = (
    "completion bash > /etc/bash_completion.d/hardenctl",
    'completion zsh > "${fpath[1]}/_hardenctl"',
    "completion fish > ~/.config/fish/completions/hardenctl.fish",
    "completion kubectl > /usr/local/bin/kubectl_complete-hardened; chmod +x /usr/local/bin/kubectl_complete-hardened",
)
MORE = (
    "For the shell that runs: `source <(hardenctl completion bash)`, the same with zsh, or `hardenctl completion fish | source`. Names of "
    "services, namespaces, revisions and backups are asked of the cluster, for at most 150 ms; then there are none, and no error. For "
    "kubectl, kubectl-hardened has to be in the PATH, too. Asks no cluster by itself."
)

_BASH = """# bash completion of hardenctl
_hardenctl() {
    local IFS=$'\\n' line found
    COMPREPLY=()
    found=$(hardenctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [ "$found" = ":files" ]; then
        compopt -o default 2>/dev/null
        return
    fi
    for line in $found; do
        line=${line%%$'\\t'*}
        COMPREPLY+=("$(printf '%q' "$line")")
    done
}
complete -F _hardenctl hardenctl
"""
_ZSH = """#compdef hardenctl
# zsh completion of hardenctl
_hardenctl() {
    local -a found pairs
    local line
    found=("${(@f)$(hardenctl __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ "${found[1]}" == ":files" ]]; then
        _files
        return
    fi
    for line in $found; do
        [[ -n "$line" ]] && pairs+=("${${line%%$'\\t'*}//:/\\\\:}${${(M)line%$'\\t'*}:+:${line#*$'\\t'}}")
    done
    (( $#pairs )) && _describe hardenctl pairs
}
if [[ "${zsh_eval_context[-1]}" == loadautofunc ]]; then _hardenctl "$@"; else compdef _hardenctl hardenctl; fi
"""
_FISH = """# fish completion of hardenctl
function __hardenctl_complete
    set -l words (commandline -opc)
    set -l found (hardenctl __complete $words[2..-1] (commandline -ct) 2>/dev/null)
    if test "$found" = ":files"
        __fish_complete_path (commandline -ct)
        return
    end
    printf '%s\\n' $found
end
complete -c hardenctl -f -a '(__hardenctl_complete)'
"""
_KUBECTL = """#!/bin/sh
# kubectl runs this to complete `kubectl hardened`
exec hardenctl __complete --kubectl "$@"
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "kubectl": _KUBECTL}


def run(
    session: Session,
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish|kubectl", help="What is to complete.")],
) -> Exit:
    """Prints the script."""
    if shell not in _SCRIPTS:
        raise usage(f"there is no completion for {shell!r}", f"there is one for {', '.join(_SCRIPTS)}")
    session.console.print(_SCRIPTS[shell].rstrip("\n"))
    return Exit.OK
