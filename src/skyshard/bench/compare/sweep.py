"""A sweep: trials of one workload at several fractions and node counts, their fits, and projections to DR1. No I/O.

The largest fraction is held out: it is predicted from the others before it runs, and both numbers are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from skyshard.bench.compare.losses import Side
from skyshard.bench.compare.scaling import ASSUMPTIONS, SHARED, Prediction, power_fit, predict, work_fit
from skyshard.bench.model.published_results import PublishedCheck
from skyshard.bench.record.latency_stats import Verdict
from skyshard.bench.record.trial_folder import Trial
from skyshard.catalog.strict_files import Strict

SEED = 20260707
DR1_FRACTIONS = (0.5, 1.0)
INGEST = "ingest"
WIDEST_BAND = 100.0
"""Largest ratio of a band's ends for which the band is useful."""
FARTHEST = 100.0
"""Largest ratio of a projected fraction to the largest measured one: what lies farther is left to ``bench project``."""
CORES_OF_A_NODE = 8
"""Cores that one node's scans use; with fewer, more nodes on one machine share the same cores."""


@dataclass(frozen=True, slots=True)
class Size:
    """One trial of the sweep: its catalog's share of DR1 by objects, and its number of nodes."""

    fraction: float
    nodes: int
    trial: Trial


class Forecast(Strict):
    """A predicted time with its band, and the measured time where there is one."""

    fraction: float
    nodes: int
    predicted_s: float
    low_s: float
    high_s: float
    measured_s: float | None = None

    @property
    def is_useful(self) -> bool:
        """False when the band is so wide that nothing follows from the measured sizes."""
        return self.high_s <= WIDEST_BAND * max(self.low_s, 1e-12)

    @property
    def holds(self) -> bool | None:
        """Whether the measured time is within the band; None without a measurement or a useful band."""
        if self.measured_s is None or not self.is_useful:
            return None
        return self.low_s <= self.measured_s <= self.high_s

    @classmethod
    def of(cls, at: tuple[float, int], found: Prediction, measured_s: float | None = None) -> Forecast:
        return cls(fraction=at[0], nodes=at[1], predicted_s=found.value_s, low_s=found.low_s, high_s=found.high_s,
                   measured_s=measured_s)  # fmt: skip


class Scaling(Strict):
    """One class, or the ingest, over sizes."""

    name: str
    fractions: list[float]
    nodes: list[int]
    median_s: list[float]
    exponent: float | None
    """Exponent of the median against the fraction, at the first node count; None with one fraction."""
    exponent_low: float | None
    exponent_high: float | None
    overhead_s: float
    per_share_s: float
    """Seconds for all of DR1 on one node, without the overhead."""
    node_speedup: dict[int, float]
    """Speed-up over the fewest nodes, at the largest fraction that all node counts ran; empty where it is unknown."""
    held_out: Forecast | None
    projections: list[Forecast]


class Sweep(Strict):
    """``sweep.json``."""

    version: Literal[1] = 1
    workload: str
    recipe: str
    profile: str
    scalings: list[Scaling]
    assumptions: list[str]
    published: list[PublishedCheck]
    """The model against published results."""
    cliff_scans: int
    cliff_growth: float
    node_note: str = ""
    """Why the speed-up by nodes is unknown; empty where it is known."""
    projection_note: str = ""
    """Why there is no projection; empty where there is one."""
    faults: list[str] = Field(default_factory=list)
    """Classes that were answered wrongly or not at all at one of the sizes, as sentences."""


def sweep_of(
    sizes: Sequence[Size],
    predicted: dict[str, Forecast],
    *,
    recipe: str,
    profile: str,
    on_nodes: Sequence[int],
    published: Sequence[PublishedCheck] = (),
    cliff: tuple[int, float] = (0, 0.0),
) -> Sweep:
    """All fits and projections; ``predicted`` holds the forecasts of the held-out size by name."""
    names = _names(sizes)
    note = node_note(sizes)
    too_far = projection_note(sizes)
    on_nodes = () if too_far else on_nodes
    scalings = [_scaling(name, sizes, predicted.get(name), on_nodes) for name in names]
    if note:
        scalings = [one.model_copy(update={"node_speedup": {}}) for one in scalings]
    return Sweep(
        workload=sizes[0].trial.manifest.workload.name,
        recipe=recipe,
        profile=profile,
        scalings=scalings,
        assumptions=[*ASSUMPTIONS, *([SHARED] if note else [])],
        published=list(published),
        cliff_scans=cliff[0],
        cliff_growth=cliff[1],
        node_note=note,
        projection_note=too_far,
        faults=[fault for size in sizes for fault in _faults(size)],
    )


def _faults(size: Size) -> list[str]:
    where = f"at {size.fraction:.3g} of DR1 on {size.nodes} {'node' if size.nodes == 1 else 'nodes'}"
    side, failed = Side.of([size.trial]), size.trial.summary.classes
    has_failed = {(one.phase, one.class_name) for one in failed if one.verdict is Verdict.FAILED}
    found = []
    for phase, class_name in sorted(side.wanted):
        asked = side.asked((phase, class_name))
        if not asked.n:
            found.append(f"{class_name}, {phase}, {where}: not run")
        elif (phase, class_name) in has_failed:
            what = f"{asked.errors} of {asked.n} queries failed, {asked.wrong} wrong answers"
            found.append(f"{class_name}, {phase}, {where}: {what}")
    return found


def projection_note(sizes: Sequence[Size]) -> str:
    """Why these sizes say nothing of half of DR1, as a sentence; empty where it is near enough."""
    largest = max(size.fraction for size in sizes)
    distance = DR1_FRACTIONS[0] / largest
    if distance <= FARTHEST:
        return ""
    return (
        f"No projection: {DR1_FRACTIONS[0]:.0%} of DR1 is {distance:,.0f} times the largest size measured here, warm, "
        "on one machine; a line through these times knows neither the memory nor the disks of a cluster. Use "
        "skyshard bench project on trials of skyshard bench calibrate."
    )


def node_note(sizes: Sequence[Size]) -> str:
    """Why the speed-up by nodes is unknown, as a sentence; empty where each node had enough cores."""
    most, cores = max(size.nodes for size in sizes), min(size.trial.manifest.environment.cores for size in sizes)
    if len({size.nodes for size in sizes}) < 2:
        return "The speed-up by nodes was not measured: all trials ran on one number of nodes."
    if cores >= most * CORES_OF_A_NODE:
        return ""
    return (
        f"The speed-up by nodes is unknown here: {most} nodes shared one machine of {cores} cores, all of "
        f"which fewer nodes fill as well; it takes {most * CORES_OF_A_NODE} cores, or machines of their own."
    )


def forecasts(sizes: Sequence[Size], at: tuple[float, int]) -> dict[str, Forecast]:
    """Forecasts for another size from those measured so far, by name of class; empty with fewer than two."""
    if len({size.fraction / size.nodes for size in sizes}) < 2:
        return {}
    return {name: Forecast.of(at, _predict(name, sizes, at)) for name in _names(sizes)}


def _names(sizes: Sequence[Size]) -> list[str]:
    """Classes (with their phase) that every size answered, and the ingest if its stages are known for every size."""
    keys = [{f"{c.class_name}, {c.phase}" for c in size.trial.summary.classes if c.latency} for size in sizes]
    order = [f"{c.class_name}, {c.phase}" for c in sizes[0].trial.summary.classes]
    names = [name for name in order if all(name in one for one in keys)]
    return [*names, INGEST] if all(size.trial.manifest.ingest for size in sizes) else names


def _times(name: str, size: Size) -> NDArray[np.float64]:
    """Service times of a class, or the one time of the ingest."""
    if name == INGEST:
        return np.array([sum(stage.elapsed_s for stage in size.trial.manifest.ingest)])
    class_name, _, phase = name.partition(", ")
    samples = size.trial.samples
    mask = pc.and_(pc.equal(samples["class"], class_name), pc.equal(samples["phase"], phase))
    mask = pc.and_(mask, pc.and_(pc.invert(samples["is_warm_up"]), pc.is_null(samples["error"])))
    times: NDArray[np.float64] = samples.filter(mask)["service_s"].to_numpy()
    return times


def _predict(name: str, sizes: Sequence[Size], at: tuple[float, int]) -> Prediction:
    fractions, nodes = [size.fraction for size in sizes], [float(size.nodes) for size in sizes]
    random = np.random.default_rng(SEED)
    return predict(fractions, nodes, [_times(name, size) for size in sizes], at, random)


def _scaling(name: str, sizes: Sequence[Size], held_out: Forecast | None, on_nodes: Sequence[int]) -> Scaling:
    medians = [float(np.median(_times(name, size))) for size in sizes]
    fractions, nodes = [size.fraction for size in sizes], [size.nodes for size in sizes]
    first = [(f, t) for f, n, t in zip(fractions, nodes, medians, strict=True) if n == nodes[0]]
    fit = power_fit(*zip(*first, strict=True)) if len({f for f, _ in first}) > 1 else None
    work = work_fit(fractions, [float(n) for n in nodes], medians)
    can_project = len({f / n for f, n in zip(fractions, nodes, strict=True)}) > 1
    targets = [(share, n) for n in on_nodes for share in DR1_FRACTIONS] if can_project else []
    if held_out is not None:
        there = [(f, t) for f, n, t in zip(fractions, nodes, medians, strict=True) if n == held_out.nodes]
        held_out = held_out.model_copy(update={"measured_s": max(there)[1] if there else None})
    return Scaling(
        name=name,
        fractions=fractions,
        nodes=nodes,
        median_s=medians,
        exponent=fit.exponent if fit else None,
        exponent_low=fit.low if fit else None,
        exponent_high=fit.high if fit else None,
        overhead_s=work.overhead_s,
        per_share_s=work.per_share_s,
        node_speedup=_speedup(fractions, nodes, medians),
        held_out=held_out,
        projections=[Forecast.of(at, _predict(name, sizes, at)) for at in targets],
    )


def _speedup(fractions: Sequence[float], nodes: Sequence[int], medians: Sequence[float]) -> dict[int, float]:
    counts = sorted(set(nodes))
    took = dict(zip(zip(fractions, nodes, strict=True), medians, strict=True))
    common = [f for f in sorted(set(fractions)) if all((f, n) in took for n in counts)]
    if len(counts) < 2 or not common:
        return {}
    largest = common[-1]
    return {n: took[largest, counts[0]] / took[largest, n] for n in counts}
