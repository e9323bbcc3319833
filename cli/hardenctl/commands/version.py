"""`version`: of this program, the operator, the CRD and the cluster."""

from typing import Annotated, Any

import typer

from hardenctl.cluster import installation
from hardenctl.cluster.paths import VERSION
from hardenctl.cluster.session import Session
from hardenctl.output.formats import facts
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord
from hardened import __version__
from hardened.errors import ApiFailure

OUTPUTS = ("json", "yaml")
EXAMPLES = ("version", "version --client          # without a cluster", "version -o json")
MORE = "Exits 5 if the cluster does not answer; the version of hardenctl is printed anyway. `--version` is `version --client`."


def run(
    session: Session,
    client: Annotated[bool, typer.Option("--client", help="Print only the version of hardenctl; ask no cluster.")] = False,
) -> Exit:
    """What is not installed, or may not be looked at, says so in its place."""
    found: dict[str, Any] = {"result": str(ResultWord.OK), "client": __version__}
    failure: CommandEnd | ApiFailure | None = None
    if not client:
        try:
            found |= _of_cluster(session)
        except (CommandEnd, ApiFailure) as error:
            failure, found["result"] = error, str(ResultWord.UNANSWERED)
    if session.console.output:
        session.console.data(found)
        return Exit.UNANSWERED if failure else Exit.OK
    words = {"hardenctl": "client", "operator": "operator", "CRD": "crd", "cluster": "cluster"}
    session.console.print(facts({shown: str(found.get(key, "")) for shown, key in words.items()}))
    if failure:
        raise failure
    return Exit.OK


def _of_cluster(session: Session) -> dict[str, str]:
    version = str(session.cluster.get(VERSION).get("gitVersion", "unknown"))
    operator, crd = installation.operator(session.cluster), installation.crd(session.cluster)
    return {"operator": operator.version, "crd": crd.version, "cluster": version}
