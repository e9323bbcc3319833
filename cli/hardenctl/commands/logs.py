"""`logs`: what the pods of a service say, of one revision or colour, or of all."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from hardenctl.asking.arguments import NameArgument
from hardenctl.cluster.session import Session
from hardenctl.output import duration
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.output.program import PROG
from hardenctl.release.log_reader import LogFollower, LogRequest, PodLog, read
from hardenctl.release.lookup import find
from hardenctl.release.pods import APP_CONTAINER, PodReading, live_pods_of, reading_of
from hardenctl.release.revisions import named, stored_of
from hardenctl.release.state import pin_of

OUTPUTS = ("json", "yaml")
EXAMPLES = (
    "logs shop                              # the last 50 lines of each pod",
    "logs shop -f                           # as they come, over new pods and restarts",
    "logs shop --revision 3 --previous      # why a container of revision 3 ended",
    "logs shop --color green --since 5m     # of one colour, of the last five minutes",
)
MORE = (
    "Each line begins with colour and pod. Prints the container of the application; -c names another one. "
    "Exits 0, 1 when no pod has a log that fits or the service does not exist, 130 on Ctrl-C. "
    "-o json: `result`, `namespace`, `name`, and `logs`: a list of `pod`, `revision`, `color`, `container`, `lines` and `problem` "
    "(why a pod has none). Rights: the cluster role view."
)
_COLORS = ("blue", "green")
_TAIL = 50


def run(
    session: Session,
    name: NameArgument,
    revision: Annotated[str, typer.Option("--revision", metavar="R", help="Only pods of this revision: its number or name.")] = "",
    color: Annotated[str, typer.Option("--color", metavar="blue|green", help="Only pods of this colour.")] = "",
    container: Annotated[str, typer.Option("--container", "-c", metavar="NAME", help="The container of each pod.")] = APP_CONTAINER,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print lines as they come, until Ctrl-C.")] = False,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the run that ended last.")] = False,
    tail: Annotated[int, typer.Option("--tail", metavar="N", help="The last N lines of each pod; -1 for all.")] = _TAIL,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="Only lines newer than this, such as 5m.")] = "",
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Begin each line with its time.")] = False,
    prefix: Annotated[bool, typer.Option("--prefix/--no-prefix", help="Begin each line with colour and pod.")] = True,
) -> Exit:
    """Prints them, pod by pod; or follows all of them."""
    _check(session.console.output, color, tail, follow=follow, previous=previous)
    request = LogRequest(container, tail, duration.seconds(since, "--since") if since else None, previous, timestamps)
    live = find(session, name)
    wanted = named(stored_of(session, live, session.console.warn), revision).revision if revision else ""

    def pods() -> list[PodReading]:
        found = map(reading_of, live_pods_of(session, live))
        return [pod for pod in found if wanted in ("", pod.revision) and color in ("", pod.color)]

    def show(pod: PodReading, line: str) -> None:
        session.console.print(f"{_prefix(pod)} {line}" if prefix else line)

    if follow:
        return _follow(session, live, request, pods, show)
    logs = [_read(session, live, pod, request) for pod in pods()]
    return _once(session, live, logs, request, show)


def _check(output: str, color: str, tail: int, *, follow: bool, previous: bool) -> None:
    if color and color not in _COLORS:
        raise usage(f"--color={color} is not known", f"it takes {' or '.join(_COLORS)}")
    if tail < -1:
        raise usage(f"--tail={tail} is not a number of lines", "-1 prints all of them")
    if follow and previous:
        raise usage("-f and --previous exclude each other", "a container that has ended says nothing more")
    if follow and output:
        raise usage(f"-f and -o {output} exclude each other", "-f prints lines as they come")


def _read(session: Session, live: Mapping[str, Any], pod: PodReading, request: LogRequest) -> PodLog:
    if request.previous and not pod.has_ended:
        return PodLog(pod, problem="none of its containers has ended")
    if request.container in pod.stopped:
        # Nothing runs there: the server would give the run before the one that has just ended, which its node may have removed.
        request = replace(request, previous=False)
    return read(session.cluster, live["metadata"]["namespace"], pod, request)


def _once(
    session: Session, live: Mapping[str, Any], logs: Sequence[PodLog], request: LogRequest, show: Callable[[PodReading, str], None]
) -> Exit:
    console, meta = session.console, live["metadata"]
    has_some = any(not each.problem for each in logs)
    step = f"{PROG} explain {meta['name']} -n {meta['namespace']}{session.cluster_flags}"
    if not has_some:
        why = "\n".join(f"pod {each.pod.name}: {each.problem}" for each in logs)
        hint = _hint(request) if logs else _gone(live, session.cluster_flags)
        raise CommandEnd(why or "there is no such pod", result=ResultWord.NOT_FOUND, hint=hint, next_step=step)
    if console.output:
        rows = [_data(each, request.container) for each in logs]
        console.data({"result": str(ResultWord.OK), "namespace": meta["namespace"], "name": meta["name"], "logs": rows})
        return Exit.OK
    for each in logs:
        for line in each.lines:
            show(each.pod, line)
        if each.problem and not request.previous:
            console.warn(f"pod {each.pod.name}: {each.problem}")
    return Exit.OK


def _hint(request: LogRequest) -> str:
    return "without --previous, the logs of the containers that run are printed" if request.previous else ""


def _gone(live: Mapping[str, Any], flags: str) -> str:
    """How the pods of a version come back that was rejected, and so has none any more."""
    pin, meta = pin_of(live), live["metadata"]
    again = f"{PROG} retry {meta['name']} -n {meta['namespace']}{flags}"
    return f"the pods of revision {pin.revision} were removed when it was rejected; to start them again: {again}" if pin else ""


def _data(each: PodLog, container: str) -> dict[str, Any]:
    of_pod = {"pod": each.pod.name, "revision": each.pod.revision, "color": each.pod.color, "container": container}
    return {**of_pod, "lines": list(each.lines), "problem": each.problem}


def _follow(
    session: Session,
    live: Mapping[str, Any],
    request: LogRequest,
    pods: Callable[[], list[PodReading]],
    show: Callable[[PodReading, str], None],
) -> Exit:
    LogFollower(session.cluster, live["metadata"]["namespace"], request, pods, show, session.console.progress, time.sleep).run()
    session.console.progress("there is no such pod any more")
    return Exit.OK


def _prefix(pod: PodReading) -> str:
    """Example: [green/x2v1q]."""
    return f"[{pod.color or '?'}/{pod.short}]"
