"""Ratios of each query template, and the statements that are slowest or changed most. Shown, not tested. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.compare.class_change import SEED, Interval
from skyshard.bench.compare.significance import LatencyGroup, blocks, ratio_of_quantiles
from skyshard.catalog.strict_files import Strict

SHOWN = 5
"""Statements of each kind that are listed."""
RESAMPLES = 500


class TemplateChange(Strict):
    """One template in one phase, over the trials of both sides that answered it."""

    phase: str
    template: str
    new_n: int
    old_n: int
    new_median_s: float
    old_median_s: float
    median: Interval
    """Ratio of medians; its interval is of this template alone, without correction."""


class StatementChange(Strict):
    """One statement that both sides answered: medians over all its answers."""

    phase: str
    template: str
    sql: str
    new_n: int
    old_n: int
    new_s: float
    old_s: float

    @property
    def ratio(self) -> float:
        return self.new_s / max(self.old_s, 1e-9)


def template_changes(
    new: Sequence[pa.Table], old: Sequence[pa.Table], order: Sequence[tuple[str, str]], shift: float
) -> list[TemplateChange]:
    """The templates of both sides, given as (phase, template), in order; samples of each trial are answered ones."""
    return [_template_change(key, _latencies(new, key), _latencies(old, key), shift) for key in order]


def _latencies(samples: Sequence[pa.Table], key: tuple[str, str]) -> list[np.ndarray]:
    """Latencies of each trial that has the template, in order of sending."""
    masks = [pc.and_(pc.equal(table["phase"], key[0]), pc.equal(table["template"], key[1])) for table in samples]
    found = [table.filter(mask)["latency_s"].to_numpy() for table, mask in zip(samples, masks, strict=True)]
    return [values for values in found if len(values)]


def _template_change(
    key: tuple[str, str], new: list[np.ndarray], old: list[np.ndarray], shift: float
) -> TemplateChange:
    random = np.random.default_rng([SEED, *(ord(letter) for letter in "".join(key))])
    groups = [_groups(key[1], side) for side in (new, old)]
    pooled = [np.concatenate(side) for side in (new, old)]
    return TemplateChange(
        phase=key[0],
        template=key[1],
        new_n=len(pooled[0]),
        old_n=len(pooled[1]),
        new_median_s=float(np.median(pooled[0])),
        old_median_s=float(np.median(pooled[1])),
        median=Interval.of(ratio_of_quantiles(groups[0], groups[1], 0.5, random, RESAMPLES), shift),
    )


def _groups(template: str, side: list[np.ndarray]) -> list[LatencyGroup]:
    if len(side) == 1:
        return blocks(np.full(len(side[0]), template, dtype=object), side[0])
    return [LatencyGroup({template: values}) for values in side]


def statement_changes(
    new: Sequence[tuple[pa.Table, Sequence[str]]], old: Sequence[tuple[pa.Table, Sequence[str]]]
) -> list[StatementChange]:
    """Every statement of both sides, given as (answered samples, texts of the statements) of each trial."""
    ours, theirs = _medians(new), _medians(old)
    return [
        StatementChange(
            phase=key[0], template=key[1], sql=key[2], new_n=ours[key][0], old_n=theirs[key][0],
            new_s=ours[key][1], old_s=theirs[key][1],
        )
        for key in ours
        if key in theirs
    ]  # fmt: skip


def _medians(side: Sequence[tuple[pa.Table, Sequence[str]]]) -> dict[tuple[str, str, str], tuple[int, float]]:
    """By phase, template and text: number of answers, and their median in seconds."""
    parts = []
    for samples, texts in side:
        sql = pa.array(texts, pa.string()).take(samples["statement"].combine_chunks())
        parts.append(samples.select(["phase", "template", "latency_s"]).append_column("sql", sql))
    grouped = pa.concat_tables(parts).group_by(["phase", "template", "sql"]).aggregate([("latency_s", "list")])
    keys = zip(*(grouped[name].to_pylist() for name in ("phase", "template", "sql")), strict=True)
    values = grouped["latency_s_list"].to_pylist()
    return {key: (len(one), float(np.median(one))) for key, one in zip(keys, values, strict=True)}


def slowest(changes: Sequence[StatementChange]) -> list[StatementChange]:
    """The statements that take longest on either side."""
    return _first(changes, lambda one: max(one.new_s, one.old_s))


def most_changed(changes: Sequence[StatementChange]) -> list[StatementChange]:
    """The statements whose medians differ most, by their ratio; those answered more than once a side before others."""
    return _first(changes, lambda one: (min(one.new_n, one.old_n) > 1, abs(np.log(max(one.ratio, 1e-9)))))


def _first(changes: Sequence[StatementChange], key: Callable[[StatementChange], object]) -> list[StatementChange]:
    ordered: list[StatementChange] = sorted(changes, key=key, reverse=True)  # type: ignore[arg-type]
    return ordered[:SHOWN]
