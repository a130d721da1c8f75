"""Whether what a tile read is what its visit had to read, and a sentence about what is wrong. No I/O.

An answer is summed up where it was read, by :func:`sum_answers`: numbers of rows and sums of their numbers are all that
is compared, so that a process that read for a visit sends no rows to the one that knows the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import TableName
from skyshard.apdb.sky.field_objects import owner_of
from skyshard.apdb.sky.field_truth import VisitTruth
from skyshard.apdb.sky.row_digest import digest_of, row_numbers
from skyshard.apdb.tables.apdb_tables import apdb_table
from skyshard.basics.array_types import Integers, Words


@dataclass(frozen=True, slots=True)
class AnswerSums:
    """What is compared of an answer."""

    is_formed: bool
    """It has the columns and types that were asked for; else it has no rows here."""
    owners: Integers
    """Of DiaObjectLast the tiles that the answer's objects belong to, ascending; of others one number, for all rows."""
    rows: Integers
    """By owner."""
    digest: Words
    """Sum of the rows' numbers, by owner."""

    @property
    def count(self) -> int:
        return int(self.rows.sum())


@dataclass(frozen=True, slots=True)
class TileAnswer:
    """What one tile read of one table."""

    tile: int
    sums: AnswerSums
    is_first_try: bool = True
    """False: the tile itself may have been stored by a try before, whose reply was lost."""


def sum_answers(name: TableName, columns: tuple[str, ...] | None, answers: Sequence[pa.Table]) -> list[AnswerSums]:
    """Sums of some answers of one table, of which these columns were asked; the rows of all are worked on at once."""
    wanted = [(field.name, field.type) for field in apdb_table(name).chosen(columns)]
    formed = [[(field.name, field.type) for field in rows.schema] == wanted for rows in answers]
    good = [rows if is_formed else rows.slice(0, 0) for rows, is_formed in zip(answers, formed, strict=True)]
    first = np.cumsum([0, *(rows.num_rows for rows in good)])
    kept = [rows for rows in good if rows.num_rows]
    together = pa.concat_tables(kept) if kept else None
    numbers = row_numbers(together) if together is not None else np.zeros(0, np.uint64)
    owners = np.zeros(len(numbers), np.int64)
    if name == "DiaObjectLast" and together is not None:
        owners = owner_of(together["diaObjectId"].to_numpy())
    parts = [slice(low, high) for low, high in pairwise(first.tolist())]
    return [
        AnswerSums(is_formed, *_by_owner(owners[part], numbers[part]))
        for is_formed, part in zip(formed, parts, strict=True)
    ]


def _by_owner(owners: Integers, numbers: Words) -> tuple[Integers, Integers, Words]:
    found, place, rows = np.unique(owners, return_inverse=True, return_counts=True)
    digest = np.zeros(len(found), np.uint64)
    np.add.at(digest, place, numbers)
    return found, rows, digest


def compare_objects(truth: VisitTruth, answers: Sequence[TileAnswer]) -> list[str]:
    """One text an answer about DiaObjectLast: empty where it is right, else what is wrong.

    Rows of each tile must be as they are before the visit, or, all of them, as they are after it.
    """
    return [_ill_formed("DiaObjectLast", answer) or _objects_wrong(truth, answer) for answer in answers]


def _objects_wrong(truth: VisitTruth, answer: TileAnswer) -> str:
    tiles, owners = truth.before.rows.shape[0], answer.sums.owners
    if len(owners) and (owners[0] < 0 or owners[-1] >= tiles):
        return "DiaObjectLast: an object of no tile of this visit"
    rows, digest = np.zeros(tiles, np.int64), np.zeros(tiles, np.uint64)
    rows[owners], digest[owners] = answer.sums.rows, answer.sums.digest
    sides = [
        (rows == side.rows[answer.tile]) & (digest == side.digest[answer.tile]) for side in (truth.before, truth.after)
    ]
    if answer.is_first_try:
        sides[1][answer.tile] &= sides[0][answer.tile]
    bad = np.flatnonzero(~(sides[0] | sides[1]))
    if not len(bad):
        return ""
    owner = int(bad[0])
    before, after = int(truth.before.rows[answer.tile, owner]), int(truth.after.rows[answer.tile, owner])
    wanted = f"{before}" if before == after else f"{before} or {after}"
    found = int(rows[owner])
    return f"DiaObjectLast: {found} rows of tile {owner}, {wanted} are right{_same(found, before, after)}"


def compare_history(name: TableName, truth: VisitTruth, answers: Sequence[TileAnswer]) -> list[str]:
    """One text an answer about DiaSource or DiaForcedSource: empty where it is right, else what is wrong."""
    is_source = name == "DiaSource"
    rows = truth.source_rows if is_source else truth.forced_rows
    digests = truth.source_digest if is_source else truth.forced_digest
    return [
        _ill_formed(name, one) or _history_wrong(name, one.sums, int(rows[one.tile]), int(digests[one.tile]))
        for one in answers
    ]


def _history_wrong(name: TableName, sums: AnswerSums, wanted: int, digest: int) -> str:
    if sums.count == wanted and digest_of(sums.digest) == digest:
        return ""
    return f"{name}: {sums.count} rows, {wanted} are right{_same(sums.count, wanted)}"


def _same(found: int, *wanted: int) -> str:
    return "; the values differ" if found in wanted else ""


def _ill_formed(name: TableName, answer: TileAnswer) -> str:
    return "" if answer.sums.is_formed else f"{name}: columns or types are not those asked for"
