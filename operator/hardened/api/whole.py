"""Rules on a whole HardenedService: those that need its name."""

from hardened.api.fields import Rule

#: CEL: the list is as it was. The server holds a rule on a whole object against each write of its status as well: of a spec that is older
#: than the rule nobody could even be told what is wrong with it.
_IS_NO_NEWS = "oldSelf.hasValue() && has(oldSelf.value().spec.dependsOn) && oldSelf.value().spec.dependsOn == self.spec.dependsOn"

#: `self` is the whole object, `oldSelf` an optional one. `holds` is asked of a parsed HardenedService.
WHOLE_RULES: tuple[Rule, ...] = (
    Rule(
        cel="!has(self.spec.dependsOn) || self.spec.dependsOn.all(d, !has(d.service) || d.service != self.metadata.name) || "
        f"({_IS_NO_NEWS})",
        holds=lambda svc: all(each.service != svc.name for each in svc.spec.depends_on or ()),
        message="a service cannot depend on itself, since it could never begin: remove it from dependsOn",
        field=".spec.dependsOn",
    ),
)
