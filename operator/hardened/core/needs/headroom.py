"""Whether the quotas of a namespace have room for all pods that an autoscaler may ask for. A finding: nothing waits for it."""

from datetime import timedelta

from hardened.core.model.target import Target
from hardened.core.needs.quota import Growth, shortages
from hardened.core.observe.facts import Facts

#: Nobody tells when a quota is raised, which is not watched: while something is short it is looked at again this often.
LOOK_AGAIN = timedelta(minutes=5)
#: Whoever may make quotas can make as many as they like, and status takes no longer sentence.
_LONGEST = 4000


def is_due(facts: Facts) -> bool:
    """Whether quotas are to be looked at: nobody has told of these bounds, or something was short. A release looks at them anyway."""
    scale = facts.svc.spec.autoscale
    if scale is None or facts.state is not None or facts.observed.namespace_snapshot is not None or facts.stable is None:
        return False
    return (facts.before.get("autoscale") or {}).get("maxReplicas") != scale.max_replicas or bool(_told(facts))


def lacks(facts: Facts, serving: Target | None) -> str:
    """What quotas lack for maxReplicas pods of what serves, "" for nothing; as it was told, where nobody has looked at them."""
    scale, namespace = facts.svc.spec.autoscale, facts.observed.namespace_snapshot
    if scale is None:
        return ""
    if namespace is None:
        return _told(facts)
    live = facts.deployments.get(serving.color) if serving else None
    rollout = facts.rollout(serving.color) if serving else None
    now = live["spec"]["template"]["spec"] if live else None
    growth = Growth(now or facts.wanted.template["spec"], ((0, scale.max_replicas),), now, rollout.total if rollout else 0)
    return "; ".join(shortages(namespace.quotas, growth, f"{scale.max_replicas} pods need"))[:_LONGEST]


def _told(facts: Facts) -> str:
    """What status says of these bounds."""
    scale, told = facts.svc.spec.autoscale, facts.before.get("autoscale") or {}
    return str(told.get("quota", "")) if scale and told.get("maxReplicas") == scale.max_replicas else ""
