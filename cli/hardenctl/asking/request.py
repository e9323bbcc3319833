"""Asks the operator for one thing: makes a HardenedServiceAction, and follows it to its end."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hardenctl.cluster.failures import explained
from hardenctl.cluster.follower import Follower, WaitTimedOut
from hardenctl.cluster.paths import actions
from hardenctl.cluster.replies import is_kind_missing
from hardenctl.cluster.session import Session
from hardenctl.output.duration import Deadline, shown
from hardenctl.output.formats import printable
from hardenctl.output.moments import moment
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, unanswered
from hardenctl.output.program import PROG
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain, Vanished

#: How often a request is sent whose reply was lost, and the seconds between.
ATTEMPTS = 3
PAUSE_SECONDS = 0.5

FINAL = frozenset({"Succeeded", "Failed", "Refused"})


@dataclass(frozen=True)
class ActionRequest:
    """One request to a service."""

    namespace: str
    """Of the service, and of the action."""
    service: str
    """Its name."""
    uid: str
    """Of the service: the action goes when it goes."""
    action: str
    """As the API names it."""
    revision: str
    """The one that is meant, "" where none is."""
    reason: str
    """Why, "" where nobody said."""
    by: str
    """Who asks."""
    across_migration: bool = False
    """Of a rollback: also where a migration ran since."""
    backup: str = ""
    """Of a backup, its verification, a restore, or the abort of one: which of the service's."""
    snapshot: str = ""
    """Of a restore: which one of the backup."""
    into: str = ""
    """Of a restore: where to, instead of what serves."""
    with_data: bool = False
    """Of a rollback: also the data, from the snapshot that belongs to the revision."""

    @property
    def replaces_data(self) -> bool:
        """What serves is stopped for it."""
        return self.with_data or (self.action == "Restore" and not self.into)

    @property
    def verb(self) -> str:
        """Its name at the prompt, which is the name of the right to it as well."""
        return self.action.lower()


@dataclass(frozen=True)
class ActionOutcome:
    """What came of a request."""

    name: str
    """Of its object."""
    phase: str
    """Succeeded, Failed, Refused, or the last one that was seen; "" for none."""
    message: str
    """As the operator wrote it, in one line."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """As the operator wrote it."""
    seconds: float | None = None
    """From the moment that the operator began to its end, None while it has not ended."""


def make(session: Session, request: ActionRequest) -> Manifest:
    """Makes the action, once: a request whose reply was lost is sent again under the same name. Raises CommandEnd where it is not taken."""
    body = manifest(request, secrets.token_hex(4))
    collection, flags = actions(request.namespace), session.cluster_flags
    for left in reversed(range(ATTEMPTS)):
        try:
            return session.cluster.create(collection, body)
        except LookAgain as error:
            if error.reason != "AlreadyExists":
                raise
            return body  # it was made by the try whose reply was lost: nobody else knows the name
        except TryAgain as error:
            if error.status == 401:
                raise
            if left == 0:
                stop = explained(error, "create", request.namespace, flags)
                raise _unanswered(stop, body, request, flags) from error
            session.console.trace(f"the reply was lost ({error}); sending it again")
            time.sleep(PAUSE_SECONDS)
        except (Refused, Vanished) as error:
            raise _not_taken(error, request, flags) from error
        except KeyboardInterrupt:
            stop = CommandEnd("interrupted", result=ResultWord.INTERRUPTED, code=Exit.INTERRUPTED)
            raise _unanswered(stop, body, request, flags) from None
    raise AssertionError("unreachable")


def manifest(request: ActionRequest, suffix: str) -> Manifest:
    """The action. suffix: makes its name unlike that of every other one, since a name is acted on only once."""
    meta = {
        "name": f"{request.service}-{request.verb}-{suffix}",
        "namespace": request.namespace,
        "ownerReferences": [{"apiVersion": names.API_VERSION, "kind": names.KIND, "name": request.service, "uid": request.uid}],
    }
    spec: Manifest = {"service": request.service, "action": request.action, "requestedBy": request.by}
    optional: Manifest = {"revision": request.revision, "reason": request.reason, "acrossMigration": request.across_migration}
    optional |= {"backup": request.backup, "snapshot": request.snapshot, "into": request.into, "withData": request.with_data}
    spec |= {name: value for name, value in optional.items() if value}
    return {"apiVersion": names.API_VERSION, "kind": names.ACTION_KIND, "metadata": meta, "spec": spec}


def follow(session: Session, made: Manifest, request: ActionRequest, deadline: Deadline) -> ActionOutcome:
    """Until the action has ended, or time is up: then the phase is the last one seen. A progress line for each change.

    Raises CommandEnd where it is interrupted, which ends the waiting only, or where the action can or may not be read.
    """
    name, began = str(made["metadata"]["name"]), deadline.clock()
    console = session.console
    follower = Follower(session.cluster, request.namespace, name, deadline, console.trace, console.progress, plural=names.ACTION_PLURAL)
    outcome, told = ActionOutcome(name, "", ""), ""
    try:
        for state in follower.states(made):
            if state is None:
                return ActionOutcome(name, "Failed", "the request was deleted before it ended")
            outcome = outcome_of(state)
            line = ": ".join(filter(None, (outcome.phase or "waiting for the operator", outcome.message)))
            if line != told:
                told = line
                session.console.progress(printable(f"{shown(deadline.clock() - began):>6}  {line}"))
            if outcome.phase in FINAL:
                return outcome
    except WaitTimedOut:
        pass
    except Refused as error:
        raise _unreadable(error, name, request, session.cluster_flags) from error
    except (TryAgain, CommandEnd) as error:
        # The follower has tried again by itself.
        stop = explained(error, "get", request.namespace, session.cluster_flags)
        text = f"the {request.verb} was requested as {name} and continues, but can no longer be followed: {stop.message}"
        raise unanswered(text, stop.hint, _look_at(name, request, session.cluster_flags)) from error
    except KeyboardInterrupt:
        if session.console.err.isatty():
            session.console.progress("")  # the terminal shows ^C: go on below it
        step = f"{PROG} status {request.service} -n {request.namespace} -w{session.cluster_flags}"
        text = f"stopped waiting; the {request.verb} was requested, and {'goes on' if request.replaces_data else 'still stands'}"
        abort = f"{PROG} abort {request.service} -n {request.namespace}{session.cluster_flags}"
        hint = f"as long as it stops pods, it can be given up: {abort}" if request.replaces_data else ""
        raise CommandEnd(text, result=ResultWord.INTERRUPTED, code=Exit.INTERRUPTED, hint=hint, next_step=step) from None
    return outcome


def outcome_of(live: Mapping[str, Any]) -> ActionOutcome:
    """What a live action says of itself."""
    found = live.get("status")
    status = found if isinstance(found, Mapping) else {}
    result = status.get("result")
    began, ended = moment(status, "startedAt"), moment(status, "finishedAt")
    return ActionOutcome(
        name=str(live["metadata"]["name"]),
        phase=str(status.get("phase") or ""),
        message=" ".join(str(status.get("message") or "").split()),
        result=result if isinstance(result, Mapping) else {},
        seconds=max(0.0, (ended - began).total_seconds()) if began and ended else None,
    )


def _not_taken(error: ApiFailure, request: ActionRequest, flags: str) -> CommandEnd:
    what = f"{names.ACTION_PLURAL}.{names.GROUP}"
    if isinstance(error, Vanished) and is_kind_missing(error):
        text = f"this cluster does not know {names.ACTION_KIND}: its operator is older than hardenctl"
        return CommandEnd(
            text, result=ResultWord.NOT_FOUND, hint="upgrade the operator's chart, with its CRDs", next_step=f"{PROG} check{flags}"
        )
    if error.status == 403:
        hint = (
            f"you need two rights in namespace {request.namespace}: create on {what}, and create on {names.PLURAL}/{request.verb}; "
            f"kubectl auth can-i create {what} -n {request.namespace}{flags}"
        )
        return CommandEnd(error.message, result=ResultWord.REFUSED, code=Exit.REFUSED, hint=hint)
    return explained(error, "create", request.namespace, flags)


def _unanswered(stop: CommandEnd, body: Manifest, request: ActionRequest, flags: str) -> CommandEnd:
    """The same end, for a request that may have got through."""
    step = _look_at(body["metadata"]["name"], request, flags)
    text = f"{stop.message}; it is unknown whether the {request.verb} was requested"
    return CommandEnd(text, result=stop.result, code=stop.code, hint=stop.hint, next_step=step)


def _look_at(name: str, request: ActionRequest, flags: str) -> str:
    return f"kubectl get {names.ACTION_SINGULAR} {name} -n {request.namespace}{flags}"


def _unreadable(error: Refused, name: str, request: ActionRequest, flags: str) -> CommandEnd:
    what = f"{names.ACTION_PLURAL}.{names.GROUP}"
    hint = f"ask for the right to follow it: kubectl auth can-i get {what} -n {request.namespace}{flags}"
    text = f"the {request.verb} was requested as {name}, but you may not read its result: {error.message}"
    return CommandEnd(text, result=ResultWord.REFUSED, code=Exit.REFUSED, hint=hint)
