"""The queries of a class that a trend follows: those that all its trials answered. No I/O.

A trial whose slow template fails has another middle, and is not faster for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.compare.losses import PhaseClass
from skyshard.bench.record.latency_stats import summarise
from skyshard.bench.record.trial_folder import Trial

NAMED = 3
"""Trials that a sentence names; of more it says how many."""
Named = Sequence[tuple[str, Trial]]


def followed_queries(trials: Named) -> tuple[Named, list[str]]:
    """The trials, given as (name, trial), with the numbers of such queries, and what is not followed, as sentences."""
    answered = {name: _answered(trial.samples) for name, trial in trials}
    left_out, sentences = set(), []
    for key in dict.fromkeys(key for classes in answered.values() for key in classes):
        mine = {name: classes[key] for name, classes in answered.items() if key in classes}
        common, known = set.intersection(*mine.values()), set.union(*mine.values())
        if common != known:
            left_out |= {(key[0], template) for template in known - common}
            sentences.append(_sentence(key, common, known - common, [n for n, own in mine.items() if own != known]))
    return [(name, _without(trial, left_out)) for name, trial in trials], sentences


def _answered(samples: pa.Table) -> dict[PhaseClass, set[str]]:
    """The templates of each class that had an answer."""
    measured = samples.filter(pc.and_(pc.invert(samples["is_warm_up"]), pc.is_null(samples["error"])))
    found: dict[PhaseClass, set[str]] = {}
    for row in measured.group_by(["phase", "class", "template"]).aggregate([]).to_pylist():
        found.setdefault((row["phase"], row["class"]), set()).add(row["template"])
    return found


def _without(trial: Trial, left_out: set[tuple[str, str]]) -> Trial:
    """The trial with the numbers of its other queries."""
    samples = trial.samples
    is_out = pa.nulls(samples.num_rows, pa.bool_()).fill_null(False)
    for phase, template in left_out:
        is_out = pc.or_(is_out, pc.and_(pc.equal(samples["phase"], phase), pc.equal(samples["template"], template)))
    if not pc.any(is_out).as_py():
        return trial
    return replace(trial, summary=summarise(trial.manifest.workload, samples.filter(pc.invert(is_out))))


def _sentence(key: PhaseClass, common: set[str], missing: set[str], trials: Sequence[str]) -> str:
    where = ", ".join(trials[:NAMED]) + (f" and {len(trials) - NAMED} more" if len(trials) > NAMED else "")
    what = f"{', '.join(sorted(missing))}: not answered in {where}"
    followed = (
        f"followed without {what}" if common else f"not followed, as no query was answered in all trials ({what})"
    )
    return f"{key[1]} ({key[0]}) is {followed}."
