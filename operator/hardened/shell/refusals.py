"""What could not be read or written in one look at a service, and is done without: nothing else of the service waits for it."""

from dataclasses import replace

from hardened.core.model.manifest import ChildKey
from hardened.core.observe.observed import Observed, WriteError
from hardened.errors import ApiFailure, Refused, TryAgain


class Refusals:
    """Collects what fails, so that the rest goes on.

    before: what failed in the look before. Status tells of what has failed twice: a single failure may be a mistake of the moment.
    """

    def __init__(self, before: frozenset[str]) -> None:
        self._before = before
        self._first: ApiFailure | None = None
        self._unanswered = 0
        self.seen: frozenset[str] = frozenset()

    def read(self, observed: Observed, key: ChildKey, failure: Refused) -> Observed:
        """The world in which this child may not be read."""
        return self._noted(observed.with_hidden(key), f"read {key}", failure)

    def wrote(self, observed: Observed, key: ChildKey, failure: ApiFailure) -> Observed:
        """The world in which this child stays as it is for now. Raises the failure where others would fail as well."""
        self._raise_for_all(failure)
        return self._noted(observed.with_refused(key, failure), next(iter(getattr(failure, "__notes__", ())), f"write {key}"), failure)

    def pods(self, observed: Observed, failure: ApiFailure) -> Observed:
        """The world in which nobody knows the pods. Raises the failure where others would fail as well."""
        self._raise_for_all(failure)
        return self._noted(replace(observed, sees_pods=False), "list the pods", failure)

    def constraints(self, observed: Observed, failure: ApiFailure) -> Observed:
        """The world in which nobody knows what pods have to be like. Raises the failure where others would fail as well."""
        self._raise_for_all(failure)
        return self._noted(observed, "list the LimitRanges and NetworkPolicies", failure)

    def status(self, failure: ApiFailure) -> None:
        """The status may not be written. Raises the failure where others would fail as well."""
        self._raise_for_all(failure)
        self._first = self._first or failure

    def raise_first(self) -> None:
        """Raises what failed first, so that it is tried again later."""
        if self._first:
            raise self._first

    def _raise_for_all(self, failure: ApiFailure) -> None:
        is_busy = isinstance(failure, TryAgain) and 0 < failure.status < 500
        self._unanswered += failure.status == 0
        # A webhook that hangs costs its own object's write; a server that is away, every one.
        if is_busy or self._unanswered > 1:
            raise failure

    def _noted(self, observed: Observed, doing: str, failure: ApiFailure) -> Observed:
        self._first = self._first or failure
        self.seen |= {doing}
        return observed.with_write_error(WriteError(doing, failure)) if doing in self._before else observed
