"""What every verb of releases does: says what is at stake, asks for it, waits, and says what came of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

from hardenctl.asking.arguments import ActionArguments
from hardenctl.asking.assessment import ASSESSMENTS, Already, Nothing, ToAsk
from hardenctl.asking.ending import Ended, called, tell
from hardenctl.asking.identity import user_name
from hardenctl.asking.request import ActionOutcome, ActionRequest, follow, make
from hardenctl.cluster.paths import service
from hardenctl.cluster.session import Session
from hardenctl.output.formats import printable
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord
from hardenctl.output.program import PROG
from hardenctl.release import report
from hardenctl.release.span import release_span
from hardenctl.release.state import image_of, serving_of
from hardenctl.release.verdict import status
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure

#: What a verb adds to a success: lines for people, data for scripts. It is given the service as it is afterwards, and what came of the
#: request; None where that was not waited for.
Addition = Callable[[Manifest, ActionOutcome | None], tuple[Sequence[str], Mapping[str, Any]]]


def perform(
    session: Session,
    live: Manifest,
    wanted: ActionArguments,
    add: Addition = lambda _live, _outcome: ((), {}),
    consent: Callable[[], None] = lambda: None,
) -> Exit:
    """Asks, unless it is so already, and tells. Raises CommandEnd for what cannot be asked.

    live: the service as it was found; consent: is called before the request is made, and raises CommandEnd where nobody agrees to it.
    """
    found = ASSESSMENTS[wanted.action](live, wanted.subject)
    match found:
        case Already():
            ended = Ended(ResultWord.UNCHANGED, Exit.OK, found.revision, found.message, next_step=_command(session, wanted, found.then))
        case Nothing():
            step = _command(session, wanted, found.instead)
            raise CommandEnd(found.message, result=ResultWord.REFUSED, code=Exit.REFUSED, next_step=step)
        case ToAsk():
            beside = f"; {wanted.beside}" if wanted.beside else ""
            session.console.progress(printable(f"{wanted.verb} of {called(live)}: {found.what}{beside}"))
            if found.warning:
                session.console.warn(found.warning)
            consent()
            ended = _asked(session, live, wanted, found, add)
        case _ as other:
            assert_never(other)
    tell(session, live, wanted, ended)
    return ended.code


def _asked(session: Session, live: Manifest, wanted: ActionArguments, ask: ToAsk, add: Addition) -> Ended:
    meta = live["metadata"]
    by = user_name(session)
    request = ActionRequest(
        namespace=meta["namespace"],
        service=wanted.name,
        uid=str(meta.get("uid", "")),
        action=wanted.action,
        revision=ask.revision,
        reason=wanted.reason,
        by=by,
        across_migration=wanted.across_migration,
        backup=wanted.backup,
        snapshot=wanted.snapshot,
        into=wanted.into,
        with_data=wanted.with_data,
    )
    made = make(session, request)
    name = str(made["metadata"]["name"])
    session.console.progress(f"    0s  requested as {name} by {printable(by)}")
    if wanted.span is None:
        lines, more = add(live, None)
        message = f"{wanted.verb} was requested"
        # The status may be older than what was asked for: it is the request that says when it is done.
        done = "--for=jsonpath='{.status.phase}'=Succeeded"
        step = f"kubectl wait {report.action_name(name)} -n {meta['namespace']} {done}{session.cluster_flags}"
        return Ended(ResultWord.REQUESTED, Exit.OK, ask.revision, message, name, step, more=more, lines=lines)
    # What is asked for may begin a release, or end with one.
    span = wanted.span if wanted.is_bounded else max(wanted.span, release_span(live))
    return _after(session, wanted, ask, follow(session, made, request, session.wait(span)), add)


def _after(session: Session, wanted: ActionArguments, ask: ToAsk, outcome: ActionOutcome, add: Addition) -> Ended:
    match outcome.phase:
        case "Succeeded":
            after = _now(session, wanted)
            lines, more = add(after, outcome) if after else ((), {})
            step = _command(session, wanted, _then(wanted, after))
            # At the end of a hold the pods are yet to come back.
            shown = [*(_state(after) if not wanted.ends_hold else ()), *lines] if after else []
            more = {"outcome": dict(outcome.result), **more}
            return Ended(ResultWord.OK, Exit.OK, ask.revision, outcome.message, outcome.name, step, more=more, lines=shown)
        case "Refused":
            # Somebody else may have asked for the same in between.
            after = _now(session, wanted)
            found = ASSESSMENTS[wanted.action](after, wanted.backup or ask.revision) if after else ask
            if isinstance(found, Already) and not wanted.with_data:
                step = _command(session, wanted, found.then)
                return Ended(ResultWord.UNCHANGED, Exit.OK, found.revision, found.message, outcome.name, step)
            step = _command(session, wanted, _ELSE.get(wanted.action, "status {name}"))
            return Ended(ResultWord.REFUSED, Exit.REFUSED, ask.revision, outcome.message, outcome.name, step)
        case "Failed":
            return Ended(
                ResultWord.FAILED, Exit.FAILED, ask.revision, outcome.message, outcome.name, _command(session, wanted, "status {name}")
            )
    text = outcome.message or outcome.phase
    step, hint = _command(session, wanted, "status {name} -w"), "only the waiting has ended"
    if not outcome.phase:
        text = "the operator has not answered it"
        step = f"{PROG} check -n {session.namespace}{session.cluster_flags}"
        hint = "is the operator running? It refuses requests that it sees after more than 5 minutes"
    return Ended(ResultWord.TIMED_OUT, Exit.TIMED_OUT, ask.revision, text, outcome.name, step, hint)


#: The next verb once it is done, and once it was refused.
_THEN = {
    "Rollback": "history {name}",
    "Promote": "status {name} -w",
    "Abort": "history {name}",
    "Retry": "status {name} -w",
    "Pause": "resume {name}",
    "Resume": "status {name} -w",
    "Backup": "backup list {name}",
    "VerifyBackup": "backup list {name}",
    "Restore": "status {name}",
}
_ELSE = {
    "Rollback": "history {name}",
    "Retry": "history {name}",
    "Backup": "backup list {name}",
    "VerifyBackup": "backup list {name}",
    "Restore": "backup list {name}",
}


def _then(wanted: ActionArguments, after: Manifest | None) -> str:
    if wanted.ends_hold:
        return "status {name} -w"
    is_degraded = after is not None and status(after).get("phase") == "Degraded"
    return "status {name}" if is_degraded else _THEN[wanted.action]


def _command(session: Session, wanted: ActionArguments, template: str) -> str:
    verb, _, rest = template.partition(" {name}")
    return f"{PROG} {verb} {wanted.name} -n {session.namespace}{rest}{session.cluster_flags}"


def _now(session: Session, wanted: ActionArguments) -> Manifest | None:
    try:
        return session.cluster.get(service(session.namespace, wanted.name))
    except ApiFailure as error:
        session.console.trace(f"cannot read the service again: {error}")
        return None


def _state(live: Manifest) -> list[str]:
    serving, phase = serving_of(live), str(status(live).get("phase") or "Pending")
    if not serving:
        return [f"{phase}; nothing serves"]
    return [f"{phase}; revision {serving} ({image_of(live, serving)}) serves"]
