"""Does what a scenario does besides faults: replicas are read and repaired, chunks moved, nodes enabled.

Rules: chunks are moved by jobs, each in a process of its own, as operators move them: it takes nothing of this
process, which asks queries and measures them. What was moved stays where it is when the workload ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.readable import human_bytes
from skyshard.bench.workload.fault_scenario import Do
from skyshard.bench.workload.planned_faults import PlannedFault, PlannedScenario
from skyshard.replicate import JobPlan
from skyshard.testbed import Testbed

Care = Callable[[Testbed, str, PlannedFault], str]


def take_care(testbed: Testbed, database: str, fault: PlannedFault) -> str:
    """Do what the event does; says what was done.

    Raises:
        SkyshardError: it did not come to its end.
    """
    return _CARES[fault.event.do](testbed, database, fault)


def require_moves(planned: PlannedScenario, testbed: Testbed) -> None:
    """Refuse to drain a node whose chunks have no other; nothing was done.

    Raises:
        UserError: names the file's line, and why.
    """
    for fault in planned.faults:
        if fault.event.do is Do.DRAIN:
            try:
                testbed.replicas.plan_drain(fault.node)
            except UserError as error:
                raise planned.read.fault(["events", fault.number - 1, "do"], error.what, error.remedy) from None


def _verify(testbed: Testbed, database: str, fault: PlannedFault) -> str:
    (found,) = testbed.replicas.verify(database, rate_bytes_s=_rate(fault))
    unread = f", {', '.join(found.unread)} not read" if found.unread else ""
    return f"{found.tables} tables read, {len(found.faults)} bad{unread}"


def _repair(testbed: Testbed, database: str, fault: PlannedFault) -> str:
    (done,) = testbed.replicas.repair(database, rate_bytes_s=_rate(fault))
    if done.failed or done.lost:
        why = next(iter(done.failed.values()), "no node has their rows")
        raise ClusterError(f"{len(done.failed) + len(done.lost)} replicas could not be made again: {why}")
    waiting = sum(done.waiting.values())
    left = f", {waiting} wait for {', '.join(done.waiting)}" if waiting else ""
    return f"{done.mended} replicas mended, {human_bytes(done.bytes)} copied{left}"


def _drain(testbed: Testbed, _: str, fault: PlannedFault) -> str:
    return _moved(testbed, testbed.replicas.plan_drain(fault.node), fault)


def _fill(testbed: Testbed, _: str, fault: PlannedFault) -> str:
    return _moved(testbed, testbed.replicas.plan_fill(at_once=True), fault)


def _rebalance(testbed: Testbed, _: str, fault: PlannedFault) -> str:
    return _moved(testbed, testbed.replicas.plan_rebalance(), fault)


def _enable(testbed: Testbed, _: str, fault: PlannedFault) -> str:
    done = testbed.node_life.enable(fault.node, rate_bytes_s=_rate(fault))
    return f"takes new chunks, {done.tables} regular tables copied ({human_bytes(done.bytes)})"


def _moved(testbed: Testbed, plan: JobPlan, fault: PlannedFault) -> str:
    number = testbed.jobs.begin(plan, rate_bytes_s=_rate(fault))
    if not number:
        return "there was nothing to move"
    done = testbed.jobs.run_apart(number)
    if not done.is_whole:
        why = done.job.error or f"it is {done.job.state}"
        raise ClusterError(f"job {number} did not move everything: {why}", remedy=f"see `skyshard jobs show {number}`")
    return f"job {number}: {plan.moves.chunks} chunks, {human_bytes(done.job.bytes_done)} copied"


def _rate(fault: PlannedFault) -> float:
    return (fault.event.rate_mb_s or 0.0) * 1e6


_CARES: Mapping[Do, Care] = {
    Do.VERIFY: _verify,
    Do.REPAIR: _repair,
    Do.DRAIN: _drain,
    Do.FILL: _fill,
    Do.REBALANCE: _rebalance,
    Do.ENABLE: _enable,
}
