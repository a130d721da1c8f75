"""Whether what a tile read is what its visit had to read, and a sentence about what is wrong. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import TableName
from skyshard.apdb.sky.field_objects import owner_of
from skyshard.apdb.sky.field_truth import VisitTruth
from skyshard.apdb.sky.row_digest import digest_of, row_numbers
from skyshard.apdb.tables.apdb_tables import apdb_table
from skyshard.basics.array_types import Integers, Words


@dataclass(frozen=True, slots=True)
class TileAnswer:
    """What one tile read of one table."""

    tile: int
    rows: pa.Table
    is_first_try: bool = True
    """False: the tile itself may have been stored by a try before, whose reply was lost."""


def compare_objects(truth: VisitTruth, answers: Sequence[TileAnswer]) -> list[str]:
    """One text an answer about DiaObjectLast: empty where it is right, else what is wrong.

    Rows of each tile must be as they are before the visit, or, all of them, as they are after it.
    """
    wrong = _wrong_schemas("DiaObjectLast", None, answers)
    numbers, first = _numbers(answers, wrong)
    for place, answer in enumerate(answers):
        if not wrong[place]:
            mine = numbers[first[place] : first[place + 1]]
            wrong[place] = _objects_wrong(truth, answer, mine, owner_of(answer.rows["diaObjectId"].to_numpy()))
    return wrong


def _objects_wrong(truth: VisitTruth, answer: TileAnswer, numbers: Words, owners: Integers) -> str:
    tiles = truth.before.rows.shape[0]
    if len(owners) and (owners.min() < 0 or owners.max() >= tiles):
        return "DiaObjectLast: an object of no tile of this visit"
    rows, digest = np.bincount(owners, minlength=tiles), np.zeros(tiles, np.uint64)
    np.add.at(digest, owners, numbers)
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


def compare_history(
    name: TableName, columns: tuple[str, ...] | None, truth: VisitTruth, answers: Sequence[TileAnswer]
) -> list[str]:
    """One text an answer about DiaSource or DiaForcedSource: empty where it is right, else what is wrong."""
    is_source = name == "DiaSource"
    rows = truth.source_rows if is_source else truth.forced_rows
    digests = truth.source_digest if is_source else truth.forced_digest
    wrong = _wrong_schemas(name, columns, answers)
    numbers, first = _numbers(answers, wrong)
    for place, answer in enumerate(answers):
        mine, wanted = numbers[first[place] : first[place + 1]], int(rows[answer.tile])
        if not wrong[place] and (len(mine) != wanted or digest_of(mine) != int(digests[answer.tile])):
            wrong[place] = f"{name}: {len(mine)} rows, {wanted} are right{_same(len(mine), wanted)}"
    return wrong


def _same(found: int, *wanted: int) -> str:
    return "; the values differ" if found in wanted else ""


def _wrong_schemas(name: TableName, columns: tuple[str, ...] | None, answers: Sequence[TileAnswer]) -> list[str]:
    wanted = [(field.name, field.type) for field in apdb_table(name).chosen(columns)]
    given = ([(field.name, field.type) for field in answer.rows.schema] for answer in answers)
    return ["" if one == wanted else f"{name}: columns or types are not those asked for" for one in given]


def _numbers(answers: Sequence[TileAnswer], wrong: Sequence[str]) -> tuple[Words, Integers]:
    """Numbers of all rows of the answers of the right form, and where each answer's begin."""
    good = [answer.rows if not text else answer.rows.slice(0, 0) for answer, text in zip(answers, wrong, strict=True)]
    first = np.cumsum([0, *(rows.num_rows for rows in good)])
    kept = [rows for rows in good if rows.num_rows]
    return (row_numbers(pa.concat_tables(kept)) if kept else np.zeros(0, np.uint64)), first
