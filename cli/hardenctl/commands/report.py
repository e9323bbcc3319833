"""`report`: a support bundle of a service, without secrets."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hardenctl.asking.arguments import NameArgument
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.release.lookup import find

OUTPUTS = ("json", "yaml")
EXAMPLES = (
    "report shop                            # into a file of this folder",
    "report shop -f shop.tar.gz -o json     # what is in it, and what could not be read, as data",
    "report shop -f - > shop.tar.gz",
)
MORE = (
    "The service, its children, pods, Events, actions and stored revisions; the last lines of its pods' logs; the operator's Deployment "
    "and its last log lines; and the versions of all. Secrets are never read. Values of variables and headers, what ConfigMaps and files "
    "hold, and copies of objects in annotations are hidden, and so is in all texts what looks like a password or a token: look through it "
    "all the same before you pass it on. manifest.json names each file, where something was hidden in it, and what could not be read. "
    "Exits 0, also where something could not be read, with `result` warnings; 1 when the service does not exist. A file that is there "
    "already is kept."
)
_TIMEOUT = "2m"


def run(
    session: Session,
    name: NameArgument,
    file: Annotated[str, typer.Option("--filename", "-f", metavar="FILE", help="Where it goes; - for stdout.")] = "",
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="How long all may take.")] = _TIMEOUT,
) -> Exit:
    """Reads, hides, and packs."""
    from hardenctl.reporting.bundle import archive, bundle_of
    from hardenctl.reporting.reading import Reader

    console, now = session.console, moments.now()
    _check(file, console.output)
    live = find(session, name)
    meta = live["metadata"]
    folder = f"hardened-report-{meta['namespace']}-{meta['name']}-{now:%Y%m%dT%H%M%SZ}"
    target = file or f"{folder}.tar.gz"
    reader = Reader(session, live)
    found = bundle_of(reader.read())
    about = {
        "service": {"namespace": meta["namespace"], "name": meta["name"], "uid": meta.get("uid", "")},
        "createdAt": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "versions": reader.versions,
    }
    content = archive(found, about, folder, now)
    _write(target, content)
    for each in found.missing:
        _tell(session, each.what, each.why)
    result = ResultWord.WARNINGS if found.missing else ResultWord.OK
    if console.output:
        files = [{"path": each.path, "bytes": len(each.content), "redactions": len(each.hidden)} for each in found.files]
        told: dict[str, Any] = {"result": str(result), "namespace": meta["namespace"], "name": meta["name"], "path": target}
        console.data({**told, "bytes": len(content), "files": files, "missing": [each.data() for each in found.missing]})
        return Exit.OK
    hidden = sum(len(each.hidden) for each in found.files)
    text = f"{target}: {len(found.files)} files, {hidden} values hidden, {len(found.missing)} things missing; see manifest.json in it"
    (console.progress if target == "-" else console.print)(text)
    if target != "-":
        console.advise(f"tar -xzf {target}, and look through it before you pass it on")
    return Exit.OK


def _check(file: str, output: str) -> None:
    """Before anything is read. Raises CommandEnd (usage)."""
    if file == "-" and output:
        raise usage(f"-f - and -o {output} exclude each other", "both write to stdout")
    if file == "-" and sys.stdout.isatty():
        raise usage("-f - writes an archive, and stdout is a terminal", "redirect it: -f - > report.tar.gz")
    if file and file != "-" and Path(file).exists():
        raise usage(f"-f {file} exists", "name another file, or delete it")


def _tell(session: Session, what: str, why: str) -> None:
    from hardenctl.reporting.reading import OPERATOR_LOG

    if what == OPERATOR_LOG:
        # Somebody else's, most likely: a team has no rights there, and needs none.
        session.console.note(f"{what} is not in it; whoever may read the logs of its namespace gets it as well")
    else:
        session.console.warn(f"not in it: {what}: {why}")


def _write(target: str, content: bytes) -> None:
    if target == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(content)
    except OSError as error:
        text = f"cannot write {target}: {error.strerror}"
        raise CommandEnd(text, result=ResultWord.ERROR, code=Exit.FAILED, hint="name another file with -f") from error
