"""How often comparisons of equal trials raise an alarm, and how often a planted slowdown is found, on real trials.

    python benchmarks/comparisons.py TRIAL... [--splits 200] [--slower 1.2] [--a-side 4,5,8]

The trials are of one workload on one machine, with nothing changed between them; twenty or more. They are dealt out at
random into two sides, again and again; then the same with all latencies of the new side made longer. Splits share
their trials, so that the shares are less certain than those of as many comparisons of fresh trials.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.compare.class_change import AnsweredSide, Bar, ClassChange, LatencyChange, judge_classes
from skyshard.bench.compare.losses import Side
from skyshard.bench.compare.machine_noise import largest_shift, machine_shifts
from skyshard.bench.record.trial_folder import Trial, read_trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """One comparison."""

    classes: Sequence[ClassChange]
    shift: float

    @property
    def has_alarm(self) -> bool:
        verdicts = {verdict for one in self.classes for verdict in (one.change, one.tail)}
        return not verdicts.isdisjoint({LatencyChange.BETTER, LatencyChange.WORSE})

    @property
    def is_regression(self) -> bool:
        return any(one.is_regression for one in self.classes)


def compare(new: Sequence[Trial], old: Sequence[Trial]) -> Outcome:
    """The classes of two sides as ``bench compare`` judges them."""
    shift = largest_shift(machine_shifts([one.manifest for one in new], [one.manifest for one in old]))
    sides = [AnsweredSide([one.samples for one in side], Side.of(side)) for side in (new, old)]
    queries = new[0].samples.group_by(["phase", "template"]).aggregate([])
    common = set(zip(queries["phase"].to_pylist(), queries["template"].to_pylist(), strict=True))
    order = sorted({(phase, template.partition("/")[0]) for phase, template in common})
    return Outcome(judge_classes(sides[0], sides[1], order, common, Bar(shift=shift)), shift)


def measured(trial: Trial, slower: float = 1.0) -> Trial:
    """The trial's answered samples, with latencies so many times as long."""
    samples = trial.samples.filter(pc.and_(pc.invert(trial.samples["is_warm_up"]), pc.is_null(trial.samples["error"])))
    place = samples.schema.get_field_index("latency_s")
    longer = pa.array(samples["latency_s"].to_numpy() * slower)
    return replace(trial, samples=samples.set_column(place, samples.schema.field(place), longer))


def report(trials: Sequence[Trial], a_side: int, splits: int, slower: float, seed: int) -> str:
    """One line: alarms of equal sides, findings of slowed ones, and whether their size is right."""
    random = np.random.default_rng(seed)
    slow = [measured(one, slower) for one in trials]
    equal = [measured(one) for one in trials]
    alarms, regressions, shifts, found, covered, tested = 0, 0, 0, 0, 0, 0
    ratios = []
    for _ in range(splits):
        drawn = random.permutation(len(trials))[: 2 * a_side]
        mine, theirs = drawn[:a_side], drawn[a_side:]
        plain = compare([equal[i] for i in mine], [equal[i] for i in theirs])
        alarms, regressions = alarms + plain.has_alarm, regressions + plain.is_regression
        shifts += plain.shift > 1
        planted = compare([slow[i] for i in mine], [equal[i] for i in theirs])
        found += planted.is_regression
        for one in planted.classes:
            tested += 1
            covered += one.median.low <= slower <= one.median.high
            ratios.append(one.median.value)
    return (
        f"{a_side} a side, {splits} splits: alarm {alarms / splits:.1%}, regression {regressions / splits:.1%}, "
        f"machine said to differ {shifts / splits:.1%}; slower {slower:g} times: found {found / splits:.1%}, "
        f"median ratio {np.median(ratios):.3f}, in its interval {covered / tested:.1%} of {tested} classes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="+", type=Path)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--slower", type=float, default=1.2)
    parser.add_argument("--a-side", default="1,3,4,5,8")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    trials = [read_trial(folder) for folder in given.trials]
    for count in map(int, given.a_side.split(",")):
        print(report(trials, count, given.splits, given.slower, given.seed), flush=True)


if __name__ == "__main__":
    main()
