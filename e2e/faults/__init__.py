"""Faults between a client and the API server: FaultProxy does them, `plans` enumerates them, Operator is the process that must survive.

async with FaultProxy(Upstream.from_kubeconfig(admin), [Fault(Where(is_write=True, nth=3), Drop(Moment.AFTER_EFFECT))]) as proxy:
    proxy.kubeconfig(path, token=token)
    async with Operator(argv, env={"KUBECONFIG": str(path)}, log=log) as operator:
        proxy.on_kill(operator.strike)
        await proxy.until(lambda call: call.verb == "apply" and call.code == 200)
"""

from e2e.faults.armed import FOREVER, Fault
from e2e.faults.calls import Call, Operation, dump_calls, load_calls
from e2e.faults.effects import Answer, Drop, Effect, Hold, Kill, Moment, Silence, Truncate
from e2e.faults.journal import NeverHappened
from e2e.faults.kubeconfig import BadKubeconfig, Upstream
from e2e.faults.plans import (
    Plan,
    answer_plans,
    background_plans,
    kill_plans,
    lost_reply_plans,
    persistent_plans,
    signal_plans,
    targets,
    watch_plans,
)
from e2e.faults.process import Exit, Operator, OperatorFailed
from e2e.faults.proxy import FaultProxy, record
from e2e.faults.watches import (
    BigEvent,
    DuplicateEvents,
    EndWatch,
    GarbageLine,
    ReorderEvents,
    ResetWatch,
    SilenceWatch,
    WatchEffect,
    WatchError,
)
from e2e.faults.where import Where

__all__ = [
    "FOREVER",
    "Answer",
    "BadKubeconfig",
    "BigEvent",
    "Call",
    "Drop",
    "DuplicateEvents",
    "Effect",
    "EndWatch",
    "Exit",
    "Fault",
    "FaultProxy",
    "GarbageLine",
    "Hold",
    "Kill",
    "Moment",
    "NeverHappened",
    "Operation",
    "Operator",
    "OperatorFailed",
    "Plan",
    "ReorderEvents",
    "ResetWatch",
    "Silence",
    "SilenceWatch",
    "Truncate",
    "Upstream",
    "WatchEffect",
    "WatchError",
    "Where",
    "answer_plans",
    "background_plans",
    "dump_calls",
    "kill_plans",
    "load_calls",
    "lost_reply_plans",
    "persistent_plans",
    "record",
    "signal_plans",
    "targets",
    "watch_plans",
]
