"""A sample of a catalog's ids, positions and values, from which templates draw their parameters.

It holds the objects whose id is in one residue class, so it is the same for every engine, order of rows and node count.
One aggregate and one filtered query per table are sent to the target before anything is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.bench.target import SamplesRows, Target
from skyshard.bench.workload.fresh_places import Footprint
from skyshard.bench.workload.schema_names import DIRECTOR, CatalogSchema

SAMPLE_ROWS = 2_000
"""Approximate number of objects in a profile; their children are included."""


@dataclass(frozen=True, slots=True)
class DataProfile:
    """A sample of a catalog; arrays of one length, sorted by id."""

    object_ids: NDArray[np.int64]
    ra_deg: NDArray[np.float64]
    decl_deg: NDArray[np.float64]
    columns: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    """Sorted finite values of (table, column)."""
    footprint: Footprint | None = None
    """Where the data are, from a sample that does not depend on the trial's seed; None: where this sample is."""

    @property
    def area(self) -> Footprint:
        """Where fresh places are."""
        return self.footprint or Footprint.of(self.ra_deg, self.decl_deg)

    def values(self, table: str, column: str) -> NDArray[np.float64]:
        """Sorted finite values of a column in the sample.

        Raises:
            UserError: the sample has none.
        """
        values = self.columns.get((table, column), np.empty(0))
        if not len(values):
            raise UserError(
                f"column '{table}.{column}' has no values in the sample", remedy="choose a column that is filled"
            )
        return values

    @classmethod
    def example(cls, wanted: Iterable[tuple[str, str]] = (), rows: int = 500, seed: int = 1) -> DataProfile:
        """A made-up sample around the vernal equinox, for rendering templates without a database."""
        random = np.random.default_rng(seed)
        columns = {key: np.sort(random.lognormal(0, 1, rows)) for key in sorted(wanted)}
        ra = random.uniform(-1, 1, rows) % 360
        return cls(np.arange(1, rows + 1, dtype=np.int64), ra, random.uniform(-1, 1, rows), columns)


def profile_data(
    target: Target,
    database: str,
    wanted: Iterable[tuple[str, str]],
    seed: int,
    schema: CatalogSchema | None = None,
    *,
    rows: int = SAMPLE_ROWS,
    area_seed: int | None = None,
) -> DataProfile:
    """Sample a database by queries to a target.

    Args:
        wanted: (table, column) pairs, as templates name them, whose values are needed.
        seed: selects the residue class.
        schema: their names in the database.
        rows: objects of the sample, about.
        area_seed: selects a second sample, for the footprint; None: none is taken.

    Raises:
        UserError: the database has no objects.
    """
    schema = schema or CatalogSchema.plain()
    objects = _count(target, database, schema.table(DIRECTOR))
    modulus = max(1, objects // rows)
    by_table: dict[str, list[str]] = {DIRECTOR: []}
    for table, column in sorted(set(wanted)):
        by_table.setdefault(table, []).append(column)
    columns: dict[tuple[str, str], NDArray[np.float64]] = {}
    positions = pa.table({})
    for table, names in by_table.items():
        select = ["id", "ra", "decl", *names] if table == DIRECTOR else names
        asked = [schema.column(table, name) for name in select]
        sample = _sample(target, database, schema.table(table), asked, schema.sampling_key(table), modulus, seed)
        first = len(select) - len(names)
        columns |= {(table, name): _finite_sorted(sample.column(first + i)) for i, name in enumerate(names)}
        positions = sample if table == DIRECTOR else positions
    profile = _with_positions(positions, columns, database)
    if area_seed is None or area_seed % modulus == seed % modulus:
        return profile
    asked = [schema.column(DIRECTOR, name) for name in ("id", "ra", "decl")]
    sample = _sample(target, database, schema.table(DIRECTOR), asked, schema.sampling_key(DIRECTOR), modulus, area_seed)
    return replace(profile, footprint=_with_positions(sample, {}, database).area)


def _count(target: Target, database: str, director: str) -> int:
    if isinstance(target, SamplesRows):
        objects = target.count(director)
    else:
        table = target.run(f"SELECT COUNT(*) AS n FROM {director}", database).table
        objects = int(table.column(0)[0].as_py()) if table.num_rows else 0
    if not objects:
        raise UserError(f"database '{database}' has no rows in {director}", remedy="ingest a catalog first")
    return objects


def _sample(
    target: Target, database: str, table: str, columns: Sequence[str], key: str, modulus: int, seed: int
) -> pa.Table:
    """The rows of one residue class; behind an alias a column may be called like a word of SQL, as ``dec`` is."""
    if isinstance(target, SamplesRows):
        return target.sample(table, columns, key, modulus, seed % modulus)
    names = ", ".join(f"o.{name}" for name in columns)
    return target.run(f"SELECT {names} FROM {table} o WHERE o.{key} % {modulus} = {seed % modulus}", database).table


def _with_positions(
    sample: pa.Table, columns: Mapping[tuple[str, str], NDArray[np.float64]], database: str
) -> DataProfile:
    ids = sample.column(0).to_numpy().astype(np.int64)
    if not len(ids):
        raise UserError(f"no objects of database '{database}' are in the sample", remedy="use another seed")
    order = np.argsort(ids)
    ra, decl = (sample.column(i).to_numpy().astype(np.float64)[order] for i in (1, 2))
    return DataProfile(ids[order], ra, decl, columns)


def _finite_sorted(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values = column.drop_null().to_numpy().astype(np.float64)
    return np.sort(values[np.isfinite(values)])
