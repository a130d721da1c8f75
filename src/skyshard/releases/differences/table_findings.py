"""What was found of one table, made into its strict model. No I/O but the differences that are on disk."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from skyshard.catalog.schema import FILE_COLUMN
from skyshard.chunking import Chunker
from skyshard.releases.differences.columns.column_tally import ColumnTally
from skyshard.releases.differences.columns.compared_columns import Kind
from skyshard.releases.differences.difference import (
    ChunkChange,
    ColumnDifference,
    Content,
    GroupChange,
    Grouping,
    MergedObject,
    Objects,
    Outlier,
    SplitObject,
    TableDifference,
)
from skyshard.releases.differences.matching.fate_tally import FateTally
from skyshard.releases.differences.matching.match_by_key import COPY, KeyMatch, Marks
from skyshard.releases.differences.matching.match_plan import MatchPlan
from skyshard.releases.differences.matching.matched_pairs import MatchedPairs
from skyshard.releases.differences.reading.spill_file import SpillFile
from skyshard.releases.differences.reading.stored_rows import StoredRows

MOST_GROUPS = 1_000
Groups = tuple[list[Counter[str]], list[Counter[str]]]
"""Rows by group, of each grouping, of the old and the new side."""


@dataclass(slots=True)
class Findings:
    """The sums of one table while it is compared."""

    how: Literal["key", "position"]
    why: str
    keys: KeyMatch | None
    pairs: MatchedPairs
    marks: tuple[Marks, Marks]
    tally: FateTally
    groups: Groups
    within: tuple[str, ...] = ()
    """The grouping within which positions were compared."""
    by_key: int = 0
    """Pairs that are matched by key."""
    changed: int = 0
    columns: list[ColumnTally] = field(default_factory=list)


def table_difference(
    old: StoredRows, new: StoredRows, plan: MatchPlan, found: Findings, chunker: Chunker, spill: SpillFile
) -> TableDifference:
    """The difference of a table whose rows were matched."""
    return TableDifference(
        table=new.table.name,
        role=new.layout.role.value,
        how=found.how,
        why=found.why,
        rows_old=old.rows,
        rows_new=new.rows,
        columns_added=[column.name for column in plan.pairing.added],
        columns_removed=[column.name for column in plan.pairing.removed],
        changed=found.changed,
        objects=_objects(found),
        content=None,
        columns=[_column(tally, spill) for tally in found.columns],
        groupings=_groupings(plan, found.groups),
        chunks=_chunks(found.tally, chunker) if plan.is_placed else [],
    )


def content_difference(
    old: StoredRows, new: StoredRows, plan: MatchPlan, why: str, groups: Groups, *, is_same_sky: bool
) -> TableDifference:
    """The difference of a table whose rows cannot be matched: counts, and digests by chunk."""
    same_columns = [(c.name, c.type.text) for c in old.table] == [(c.name, c.type.text) for c in new.table]
    equal = different = whole = None
    if same_columns and is_same_sky and new.table.find(FILE_COLUMN) is None:
        numbers = sorted({*old.chunks, *new.chunks})
        are_equal = [_digest(old, number) == _digest(new, number) for number in numbers]
        equal, different = sum(are_equal), len(are_equal) - sum(are_equal)
        whole = different == 0
    return TableDifference(
        table=new.table.name,
        role=new.layout.role.value,
        how="content",
        why=why,
        rows_old=old.rows,
        rows_new=new.rows,
        columns_added=[column.name for column in plan.pairing.added],
        columns_removed=[column.name for column in plan.pairing.removed],
        changed=0,
        objects=None,
        content=Content(is_equal=whole, chunks_equal=equal, chunks_different=different),
        columns=[],
        groupings=_groupings(plan, groups),
        chunks=[],
    )


def _digest(rows: StoredRows, chunk: int) -> str:
    return str(rows.chunks[chunk].digest) if chunk in rows.chunks else ""


def _objects(found: Findings) -> Objects:
    tally, keys = found.tally, found.keys
    copies = [
        sum(int(np.count_nonzero(marks == COPY)) for marks in side.values()) if found.how == "key" else 0
        for side in found.marks
    ]
    return Objects(
        matched=found.pairs.count,
        matched_by_key=found.by_key,
        matched_by_position=found.pairs.count - found.by_key,
        lost=tally.lost,
        lost_with_neighbour=tally.lost_near,
        new=tally.appeared,
        new_with_neighbour=tally.appeared_near,
        split=tally.split,
        split_matched=tally.split_keyed,
        split_parts=tally.parts,
        merged=tally.merged,
        merged_matched=tally.merged_keyed,
        merged_sources=tally.sources,
        duplicates_old=keys.doubled_old if keys else 0,
        duplicates_new=keys.doubled_new if keys else 0,
        copies_lost=copies[0],
        copies_new=copies[1],
        equal_keys=keys.equal if keys else None,
        equal_keys_near=keys.near if keys else None,
        farthest_arcsec=keys.farthest_arcsec if keys and found.how == "key" else None,
        lost_keys=tally.lost_keys,
        new_keys=tally.new_keys,
        splits=[SplitObject(old=one, new=list(several)) for one, several in tally.splits],
        merges=[MergedObject(new=one, old=list(several)) for one, several in tally.merges],
    )


def _column(tally: ColumnTally, spill: SpillFile) -> ColumnDifference:
    middle = tally.middle(spill)
    return ColumnDifference(
        name=tally.column.new.name,
        old_name=tally.column.old.name,
        type_new=tally.column.new.type.text,
        type_old=tally.column.old.type.text,
        is_number=tally.column.kind is Kind.NUMBER,
        rows=tally.rows,
        equal=tally.equal,
        equal_share=_share(tally.equal, tally.rows),
        nulls_old=tally.nulls_old,
        nulls_new=tally.nulls_new,
        null_share_old=_share(tally.nulls_old, tally.rows),
        null_share_new=_share(tally.nulls_new, tally.rows),
        compared=tally.both,
        median=_finite(middle[0]) if middle else None,
        mad=_finite(middle[1]) if middle else None,
        largest=[
            Outlier(
                key_new=one.key_new, key_old=one.key_old, old=_finite(one.old), new=_finite(one.new),
                difference=_finite(one.difference),
            )
            for one in tally.outliers
        ],
    )  # fmt: skip


def _groupings(plan: MatchPlan, groups: Groups) -> list[Grouping]:
    return [_grouping(list(columns), old, new) for columns, old, new in zip(plan.groups, *groups, strict=True)]


def _grouping(columns: list[str], old: Counter[str], new: Counter[str]) -> Grouping:
    names = {*old, *new}
    changes = [GroupChange(group=name, old=old[name], new=new[name]) for name in names if old[name] != new[name]]
    changes.sort(key=lambda one: (-abs(one.new - one.old), one.group))
    return Grouping(columns=columns, groups=len(names), differing=len(changes), most_changed=changes[:MOST_GROUPS])


def _chunks(tally: FateTally, chunker: Chunker) -> list[ChunkChange]:
    numbers = sorted(tally.cells)
    edges: Sequence[Sequence[float]] = chunker.chunk_edges(numbers).T.tolist() if numbers else []
    found = []
    for number, (west, east, south, north) in zip(numbers, edges, strict=True):
        cell = tally.cells[number]
        found.append(
            ChunkChange(
                chunk=number, ra_min=west, ra_max=east, dec_min=south, dec_max=north, old=cell.old, new=cell.new,
                lost=cell.lost, appeared=cell.appeared, matched=cell.matched, changed=cell.changed,
            )
        )  # fmt: skip
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
