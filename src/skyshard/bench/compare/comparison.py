"""Compares two releases, several trials a side, class by class, with a verdict that scripts can use. No I/O.

Each class that both sides answer is judged in ``class_change``. What the new side no longer answers has no ratio and
is a regression (``losses``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from skyshard.basics.errors import UserError
from skyshard.bench.compare.class_change import (
    MARGIN,
    THRESHOLD,
    AnsweredSide,
    Bar,
    ClassChange,
    LatencyChange,
    judge_classes,
)
from skyshard.bench.compare.comparability import Difference, Weight, differences
from skyshard.bench.compare.losses import Loss, PhaseClass, Side, losses
from skyshard.bench.compare.machine_noise import MachineShift, largest_shift, machine_cautions, machine_shifts
from skyshard.bench.compare.pooled_medians import DAMPING_S, headline_sentence, sentence
from skyshard.bench.compare.query_changes import (
    StatementChange,
    TemplateChange,
    most_changed,
    slowest,
    statement_changes,
    template_changes,
)
from skyshard.bench.compare.server_differences import uneven_sentences
from skyshard.bench.compare.side_facts import SideFacts, side_facts
from skyshard.bench.compare.trials_advice import advice, can_tell
from skyshard.bench.record.trial_folder import Trial
from skyshard.catalog.strict_files import Strict

NAMED = 3
"""Trials that a caution names; of more it says how many."""


class Comparison(Strict):
    """A comparison, as ``comparison.json`` holds it."""

    version: Literal[1] = 1
    new: list[str]
    """Names of the trials."""
    old: list[str]
    workload: str
    differences: list[Difference]
    classes: list[ClassChange]
    only_new: list[str]
    """Queries (phase, class/template) that only the new side answered."""
    only_old: list[str]
    margin: float
    threshold: float
    headline: float | None
    """Geometric mean over classes of (median + 10 ms) new over old, ClickBench's damping; None without a class."""
    cautions: list[str]
    notes: list[str] = Field(default_factory=list)
    """Classes whose medians over all queries say something else than the ratio of the verdict, and why."""
    losses: list[Loss] = Field(default_factory=list)
    """Classes and queries that one side did not answer, or neither."""
    advice: list[str] = Field(default_factory=list)
    """What so few trials cannot tell, and how many would, as sentences."""
    new_side: SideFacts = SideFacts()
    """What the sides were: labels, revisions, dates, machine, settings."""
    old_side: SideFacts = SideFacts()
    machine: list[MachineShift] = Field(default_factory=list)
    """How fast the machine itself was for both sides; empty where a trial did not time it."""
    templates: list[TemplateChange] = Field(default_factory=list)
    slowest: list[StatementChange] = Field(default_factory=list)
    """The statements of both sides that take longest."""
    most_changed: list[StatementChange] = Field(default_factory=list)

    @property
    def can_tell(self) -> bool:
        """True where the trials are enough for any class to be called better or worse."""
        return can_tell(len(self.new), len(self.old))

    @property
    def is_judged(self) -> bool:
        """True where there are classes, and most could be called better, worse or the same."""
        judged = sum(one.change is not LatencyChange.INCONCLUSIVE for one in self.classes)
        return self.can_tell and bool(self.classes) and 2 * judged >= len(self.classes)

    @property
    def is_comparable(self) -> bool:
        return not any(one.weight is Weight.BREAKS for one in self.differences)

    @property
    def regressions(self) -> list[ClassChange | Loss]:
        """The regressions: each has a name, a phase and a reason."""
        everything: list[ClassChange | Loss] = [*self.losses, *self.classes]
        return [one for one in everything if one.is_regression]


def compare_trials(
    new: Sequence[tuple[str, Trial]],
    old: Sequence[tuple[str, Trial]],
    *,
    threshold: float = THRESHOLD,
    margin: float = MARGIN,
    anyway: bool = False,
    labels: tuple[str, str] = ("", ""),
) -> Comparison:
    """Compare the trials of two sides, given as (name, trial); ``labels`` name the new and the old side.

    Raises:
        UserError: the trials ran different workloads and ``anyway`` is False, or they have no query in common.
    """
    _check_workloads(new, old, anyway=anyway)
    sides = [_answered([trial for _, trial in side]) for side in (new, old)]
    keys = [set().union(*(_queries(samples) for samples in side)) for side in sides]
    common = keys[0] & keys[1]
    counted = [Side.of([trial for _, trial in side]) for side in (new, old)]
    lost = losses(counted[0], counted[1], _class_order(new, [*counted[0].queries, *counted[1].queries]))
    if not common and not lost:
        raise UserError("the trials have no query in common", remedy="compare trials of one workload")
    order = _class_order(new, [(phase, template.partition("/")[0], template) for phase, template in common])
    manifests = [[trial.manifest for _, trial in side] for side in (new, old)]
    machine = machine_shifts(manifests[0], manifests[1])
    shift = largest_shift(machine)
    answered = [AnsweredSide(*side) for side in zip(sides, counted, strict=True)]
    classes = judge_classes(answered[0], answered[1], order, common, Bar(threshold, margin, shift))
    statements = _statements(new, old, sides)
    return Comparison(
        new=[name for name, _ in new],
        old=[name for name, _ in old],
        workload=new[0][1].manifest.workload.name,
        differences=differences(manifests[0], manifests[1]),
        classes=classes,
        only_new=[" ".join(key) for key in sorted(keys[0] - keys[1])],
        only_old=[" ".join(key) for key in sorted(keys[1] - keys[0])],
        margin=margin,
        threshold=threshold,
        headline=_headline(classes),
        cautions=[*_cautions(new, old), *machine_cautions(machine)],
        notes=_notes(classes, margin),
        losses=lost,
        advice=advice(len(new), len(old), classes, threshold),
        new_side=side_facts(new, labels[0]),
        old_side=side_facts(old, labels[1]),
        machine=machine,
        templates=template_changes(sides[0], sides[1], _template_order(order, common), shift),
        slowest=slowest(statements),
        most_changed=most_changed(statements),
    )


def _check_workloads(new: Sequence[tuple[str, Trial]], old: Sequence[tuple[str, Trial]], *, anyway: bool) -> None:
    first_name, first = new[0][0], new[0][1].manifest
    for name, trial in [*new[1:], *old]:
        other = trial.manifest
        if other.workload_digest != first.workload_digest and not anyway:
            ran = f"workload '{other.workload.name}' ({other.workload_digest[:8]})"
            wanted = f"'{first.workload.name}' ({first.workload_digest[:8]})"
            raise UserError(
                f"'{name}/manifest.json', key 'workload_digest': it ran {ran}, '{first_name}' ran {wanted}",
                remedy="compare trials of one workload, or give --anyway to compare the queries in common",
            )


def _answered(trials: Sequence[Trial]) -> list[pa.Table]:
    """Each trial's measured and answered samples in order of sending."""
    found = []
    for trial in trials:
        samples = trial.samples
        found.append(samples.filter(pc.and_(pc.invert(samples["is_warm_up"]), pc.is_null(samples["error"]))))
    return found


def _queries(samples: pa.Table) -> set[tuple[str, str]]:
    pairs = samples.group_by(["phase", "template"]).aggregate([])
    return set(zip(pairs["phase"].to_pylist(), pairs["template"].to_pylist(), strict=True))


def _class_order(new: Sequence[tuple[str, Trial]], queries: Iterable[tuple[str, str, str]]) -> list[PhaseClass]:
    """(phase, class) of queries given as (phase, class, template), in the workload's order."""
    have = {(phase, class_name) for phase, class_name, _ in queries}
    phases = new[0][1].manifest.workload.phases
    order = [(phase.name, load.class_name) for phase in phases for load in phase.classes]
    return [key for key in order if key in have] + sorted(have - set(order))


def _template_order(order: Sequence[PhaseClass], common: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """(phase, template) in the order of the classes."""
    places = {key: place for place, key in enumerate(order)}
    return sorted(common, key=lambda key: (places[key[0], key[1].partition("/")[0]], key[1]))


def _statements(
    new: Sequence[tuple[str, Trial]], old: Sequence[tuple[str, Trial]], answered: Sequence[Sequence[pa.Table]]
) -> list[StatementChange]:
    texts = [[trial.statements for _, trial in side] for side in (new, old)]
    sides = [list(zip(*one, strict=True)) for one in zip(answered, texts, strict=True)]
    return statement_changes(sides[0], sides[1])


def _headline(classes: Sequence[ClassChange]) -> float | None:
    if not classes:
        return None
    ratios = [(one.new.median_s + DAMPING_S) / (one.old.median_s + DAMPING_S) for one in classes]
    return float(np.exp(np.mean(np.log(ratios))))


def _notes(classes: Sequence[ClassChange], margin: float) -> list[str]:
    pools = [one.pooled for one in classes]
    return [one for one in (*(sentence(pool, margin) for pool in pools), headline_sentence(pools)) if one]


def _cautions(new: Sequence[tuple[str, Trial]], old: Sequence[tuple[str, Trial]]) -> list[str]:
    found = []
    if both := [name for name, _ in new if name in {other for other, _ in old}]:
        found.append(f"{', '.join(both)}: on both sides, so that the sides are more alike than two releases.")
    trials = dict([*new, *old])
    found += [f"{name}: stopped early." for name, trial in trials.items() if trial.summary.is_partial]
    found += _slow_drivers(trials)
    return [*found, *uneven_sentences([(name, trial.manifest.servers) for name, trial in trials.items()])]


def _slow_drivers(trials: Mapping[str, Trial]) -> list[str]:
    """In which trials the driver itself was too slow, by class, as a sentence."""
    slow: dict[str, list[str]] = {}
    for name, trial in trials.items():
        if not trial.summary.is_trustworthy:
            for what in [f"{one.class_name} ({one.phase})" for one in trial.summary.distrusted] or ["all classes"]:
                slow.setdefault(what, []).append(name)
    if not slow:
        return []
    where = [f"{what} in {', '.join(n) if len(n) <= NAMED else f'{len(n)} trials'}" for what, n in slow.items()]
    return [f"The driver itself was more than 5 % of the latency of {'; '.join(where)}."]
