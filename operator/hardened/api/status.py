"""The status of a HardenedService, as the schema shows it. `core.status` is what fills it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, WithJsonSchema

from hardened.api.fields import Model, keyed
from hardened.api.steps import Step
from hardened.api.strategy import Strategy

Short = Annotated[str, StringConstraints(max_length=63)]
Line = Annotated[str, StringConstraints(max_length=512)]
Message = Annotated[str, StringConstraints(max_length=32768)]
When = Annotated[str, Field(json_schema_extra={"format": "date-time"})]

Phase = Literal["Pending", "Progressing", "Healthy", "Degraded", "RolledBack", "Rejected", "Queued", "Paused", "Suspended"]


class ConditionStatus(Model):
    """A condition as kstatus reads it."""

    type: Annotated[str, StringConstraints(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    observed_generation: int | None = None
    last_transition_time: When
    reason: Annotated[str, StringConstraints(max_length=1024)]
    message: Message


class Serving(Model):
    """The stack that the Service leads to."""

    color: Short
    revision: Short
    image: Line


class StableStatus(Model):
    """The last promoted revision, in its colour. promotion: how many promotions there have been."""

    color: Short
    revision: Short
    promotion: Annotated[int, Field(ge=1)]


class CheckOutcomeStatus(Model):
    """What came of a check, or of the zero-loss probe."""

    name: Short
    result: Literal["Passed", "Failed"]
    message: Line
    requests: int
    failed: int
    asked_at: When | None = None


class Pin(Model):
    """Why the revision that the spec asks for is not released."""

    revision: Short
    rejected_key: Short
    reason: Annotated[str, StringConstraints(max_length=1024)]
    message: Message
    after_cutover: bool | None = None


class Left(Pin):
    """The revision that traffic leaves by hand. It is rejected once it has."""


class ReleaseStatus(Model):
    """The release at work: where it is, and until when."""

    revision: Short
    color: Short
    key: Short
    strategy: Strategy | None = None
    step: Annotated[Step, WithJsonSchema({"enum": [str(step) for step in Step], "type": "string"})]
    replicas: int | None = Field(None, description="The size to reach before the cutover.")
    available: int | None = Field(
        None, description="The most of its pods that were available in this step when its deadline was renewed last. Left out: 0."
    )
    started_at: When
    entered_at: When | None = Field(
        None, description="When this step was entered; later by the time that it was paused. autoPromoteAfter counts from it."
    )
    deadline: When | None = None
    cutover_at: When | None = None
    window_ends_at: When | None = None
    keep_until: When | None = None
    recalled_at: When | None = Field(None, description="In Cutover: since when traffic is not to be led on after all.")
    confirmed_at: When | None = None
    rejected: bool | None = None
    probed_anew: bool | None = None
    checks: Annotated[list[CheckOutcomeStatus], keyed("name", 40)] | None = None
    rollback: bool | None = Field(None, description="True when a revision is gone back to, by hand or by a spec that asks for it again.")
    left: Left | None = None
    approved: bool | None = Field(None, description="True once somebody promoted the revision.")
    paused_at: When | None = None
    remaining: Short | None = Field(None, description="What was left of the deadline when the release was paused.")
    yielded: bool | None = Field(None, description="True while it waits for other services, and holds none of the operator's places.")
    migration: Literal["Made", "Done", "Undoing", "NotUndone"] | None = None
    undo_problem: Line | None = Field(None, description="Why the migration was not undone.")


class ProbeCounts(Model):
    """What a zero-loss probe has counted."""

    requests: int = Field(description="Requests that it made through the clients' Service.")
    failed: int = Field(description="Requests of these that were lost, or answered with an error.")


class ProofStatus(Model):
    """What the zero-loss probes of the last release have counted. It stays until the next release has something to say."""

    revision: Short
    color: Short
    started_at: When
    cutover: ProbeCounts | None = Field(None, description="From before the cutover to the end of its window. Left out: no data.")
    removal: ProbeCounts | None = Field(
        None, description="From shortly before the previous pods were removed until they were gone. Left out: no data, or not yet."
    )
    removed_by: When | None = Field(None, description="While they are being removed: when the last of them is gone.")


class HistoryEntry(Model):
    """A revision that the operator keeps."""

    revision: Short
    image: Line
    created_at: When
    missing: bool | None = Field(None, description="True when somebody deleted what was stored: it is not possible to go back to it.")


class ActionEntry(Model):
    """An action that was asked for. Its name does not run again."""

    name: Annotated[str, StringConstraints(max_length=253)]
    uid: Short
    action: Short
    phase: Literal["Running", "Succeeded", "Failed", "Refused"]
    message: Annotated[str, StringConstraints(max_length=1024)]
    revision: Short | None = None
    key: Short | None = None
    left: Short | None = Field(None, description="Of a rollback, the revision that traffic leaves.")
    by: Line | None = Field(None, description="Who asked for it, and why.")
    started_at: When
    finished_at: When | None = None


class HardenedServiceStatus(Model):
    """What the operator saw, last."""

    observed_generation: int = Field(-1, description="-1 until the operator has looked at the object once.")
    phase: Phase | None = None
    replicas: int | None = None
    selector: Annotated[str, StringConstraints(max_length=1024)] | None = None
    available_replicas: int | None = None
    serving: Serving | None = None
    stable: StableStatus | None = None
    release: ReleaseStatus | None = None
    proof: ProofStatus | None = None
    pin: Pin | None = None
    history: Annotated[list[HistoryEntry], keyed("revision", 128)] | None = None
    actions: Annotated[list[ActionEntry], keyed("name", 64)] | None = None
    conditions: Annotated[list[ConditionStatus], keyed("type", 16)] | None = None
