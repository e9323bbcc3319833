"""How a new revision takes the place of the one that serves: `spec.release`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from hardened.api.duration import between
from hardened.api.fields import Model, Name, Rule, Text, atomic
from hardened.api.strategy import Strategy

Command = Annotated[list[Text], atomic(64, least=1)]


class Preview(Model):
    """The new revision while it is checked, before the cutover."""

    replicas: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="The number of its pods.")


class Undo(Model):
    """Undoes a migration if its release ends before the cutover. It uses the migration's image and deadline."""

    command: Command = Field(description="The program and its arguments. No shell is involved.")
    after_cutover: bool = Field(
        False,
        description="Also undo after the cutover, once no pod of the new revision is left. Until then live writes may need its schema.",
    )


class Migrate(Model):
    """Runs once, in a pod with the new revision's image, before the revision's first pod. It is never interrupted and never retried."""

    command: Command = Field(description="The program and its arguments. No shell is involved.")
    deadline: Annotated[timedelta, between("10s", "24h")] = Field(
        timedelta(minutes=10), description="A migration that has not ended after this time fails."
    )
    undo: Undo | None = None


class Release(Model):
    """How a new revision takes over."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.autoPromoteAfter) || (has(self.promotion) && self.promotion == 'Manual')",
            holds=lambda m: m.auto_promote_after is None or m.promotion == "Manual",
            message="autoPromoteAfter needs promotion Manual: with Automatic there is nothing to wait for",
            field=".autoPromoteAfter",
        ),
    )

    strategy: Strategy | None = Field(
        None,
        description="Default: Recreate with a writable claim that is not shared; otherwise BlueGreen with ports; "
        "otherwise, and with a Headless service, RollingUpdate.",
    )
    preview: Preview | None = None
    promotion: Literal["Automatic", "Manual"] = Field(
        "Automatic", description="Manual waits before the cutover until somebody promotes the revision: hardenctl promote NAME."
    )
    auto_promote_after: Annotated[timedelta, between("1s", "720h")] | None = Field(
        None, description="Promotes a Manual release that nobody promoted or aborted within this time. Read live. Default: never."
    )
    progress_deadline: Annotated[timedelta, between("10s", "24h")] = Field(
        timedelta(minutes=10), description="A step that makes no progress within this time fails."
    )
    keep_previous: Annotated[timedelta, between("30s", "24h")] = Field(
        timedelta(minutes=5),
        description="How long the previous revision stays at full size after the cutover, for an immediate rollback.",
    )
    history_limit: Annotated[int, Field(ge=2, le=100)] = Field(10, description="How many revisions are kept to roll back to.")
    backup_first: Name | None = Field(
        None,
        description="One of `backups`. It is taken anew before a new revision changes anything, migrations included, and the release waits "
        "until one has succeeded. The first release, and a rollback, take none. Read live.",
    )
    migrate: Migrate | None = None

    @property
    def preview_replicas(self) -> int:
        """The size of the preview while it is checked: 1 when left out."""
        return self.preview.replicas if self.preview else 1


def effective_strategy(spec: Any) -> Strategy:
    """How revisions of this HardenedServiceSpec are released: what it says, else what its claims, ports and Service allow."""
    if spec.release.strategy:
        return spec.release.strategy  # type: ignore[no-any-return]
    if _has_one_version_claim(spec):
        return "Recreate"
    return "BlueGreen" if spec.ports and spec.service.type != "Headless" else "RollingUpdate"


def _has_one_version_claim(spec: Any) -> bool:
    return any(volume.is_for_one_version for volume in spec.volumes or ())


def has_ports(spec: str) -> str:
    """CEL: whether a spec declares ports."""
    return f"(has({spec}.ports) && {spec}.ports.size() > 0)"


def is_headless(spec: str) -> str:
    """CEL: whether a spec asks for a headless Service."""
    return f"(has({spec}.service) && has({spec}.service.type) && {spec}.service.type == 'Headless')"


_HAS_PORTS, _IS_HEADLESS = has_ports("self"), is_headless("self")
_HAS_ONE_VERSION_CLAIM = (
    "(has(self.volumes) && self.volumes.exists(v, has(v.claim) && !(has(v.readOnly) && v.readOnly) && "
    "!(has(v.claim.shared) && v.claim.shared) && (!has(v.claim.accessModes) || v.claim.accessModes.exists(m, m != 'ReadOnlyMany'))))"
)
_SAYS_STRATEGY = "(has(self.release) && has(self.release.strategy))"
_SAYS_BLUE_GREEN = f"({_SAYS_STRATEGY} && self.release.strategy == 'BlueGreen')"
_IS_BLUE_GREEN = f"({_SAYS_STRATEGY} ? self.release.strategy == 'BlueGreen' : {_HAS_PORTS} && !{_IS_HEADLESS} && !{_HAS_ONE_VERSION_CLAIM})"


def _needs_blue_green(field: str, cel: str, is_said: Callable[[Any], bool], otherwise: str) -> Rule:
    return Rule(
        cel=f"!({cel}) || {_IS_BLUE_GREEN}",
        holds=lambda m: not is_said(m) or effective_strategy(m) == "BlueGreen",
        message=f"{field.rpartition('.')[2]} needs release.strategy BlueGreen (the default with ports, unless the service is Headless or "
        f"a writable claim is not shared): with other strategies nothing runs beside the serving pods; {otherwise}",
        field=field,
    )


#: Rules on a HardenedServiceSpec that tie `release` to its ports, claims and checks.
STRATEGY_RULES: tuple[Rule, ...] = (
    Rule(
        cel=f"!{_SAYS_BLUE_GREEN} || {_HAS_PORTS}",
        holds=lambda m: m.release.strategy != "BlueGreen" or bool(m.ports),
        message="BlueGreen needs ports: without ports there is no traffic to switch; use RollingUpdate",
        field=".release.strategy",
    ),
    Rule(
        cel=f"!{_SAYS_BLUE_GREEN} || !{_IS_HEADLESS}",
        holds=lambda m: m.release.strategy != "BlueGreen" or m.service.type != "Headless",
        message="clients of a Headless service connect to pods directly, so no switch reaches them: use RollingUpdate or Recreate",
        field=".release.strategy",
    ),
    Rule(
        cel=f"!{_SAYS_STRATEGY} || self.release.strategy == 'Recreate' || !{_HAS_ONE_VERSION_CLAIM}",
        holds=lambda m: m.release.strategy in (None, "Recreate") or not _has_one_version_claim(m),
        message="two revisions would write to one claim: use Recreate, or set `shared: true` on the claim if they may",
        field=".release.strategy",
    ),
    _needs_blue_green(
        ".release.promotion",
        "has(self.release) && has(self.release.promotion) && self.release.promotion == 'Manual'",
        lambda m: m.release.promotion == "Manual",
        "use Automatic",
    ),
    _needs_blue_green(
        ".release.preview", "has(self.release) && has(self.release.preview)", lambda m: m.release.preview is not None, "leave it out"
    ),
    _needs_blue_green(
        ".verify.beforeCutover",
        "has(self.verify) && has(self.verify.beforeCutover) && self.verify.beforeCutover.size() > 0",
        lambda m: bool(m.verify.before_cutover),
        "use afterCutover",
    ),
)
