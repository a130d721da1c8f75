"""Inputs as real pipelines hand them over: odd values, odd order, odd files; for tests of ingest.

The rows are those of the clean catalog. ``mapping.yaml`` in the same folder makes them a source of ``skyshard ingest``;
``dirt.json`` says what was done and what an ingest must store: rows and digest of each table, after NaN and infinities
became NULL, -999 too (the corrupt file counted as if it were whole). All rows are held in memory: small catalogs only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.rowimage.digest import digest
from skyshard.rowimage.record import Field
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.recipe.sky_tables import TableSpec
from skyshard.synth.rows.generate import SyntheticSky, open_sky
from skyshard.synth.sky.tracts import tract_and_patch
from skyshard.synth.write.synth_plan import SynthPlan

SENTINEL = -999.0
_SHARE = 0.01
_COLUMNS = 6
_MOST_ROWS = 20_000_000
_VISIT_COLUMNS = ("visit", "visitId", "ccdVisitId")


class Dirt(StrEnum):
    """One kind of dirt."""

    NAN = "nan"
    """NaN where there is no value, and in some rows besides."""
    INF = "inf"
    """Infinities of both signs."""
    EMPTY = "empty"
    """Empty strings in text columns."""
    SENTINEL = "sentinel"
    """-999 for no value."""
    UNSORTED = "unsorted"
    """Rows in no order, over all chunks."""
    MIXED = "mixed"
    """Every second file with other column order and wider types."""
    CORRUPT = "corrupt"
    """The last file of the last table cut off in the middle."""
    TRACT = "tract"
    """A file for each tract."""
    PATCH = "patch"
    """A file for each patch."""
    VISIT = "visit"
    """A file for each visit, of tables that have one; the others by tract."""


_FILINGS = (Dirt.TRACT, Dirt.PATCH, Dirt.VISIT)


@dataclass(slots=True)
class DirtyTable:
    """What was done to one table, and what an ingest must store of it."""

    rows: int = 0
    digest: str = ""
    files: int = 0
    dirt: dict[str, dict[str, int]] = field(default_factory=dict)
    """Numbers of changed values, by column and kind."""


def parse_dirt(text: str) -> tuple[Dirt, ...]:
    """Kinds of dirt from ``nan,unsorted``; ``all`` is every kind but corrupt, by visit.

    >>> [str(one) for one in parse_dirt("nan,tract")]
    ['nan', 'tract']
    """
    if text == "all":
        return tuple(one for one in Dirt if one not in (Dirt.CORRUPT, Dirt.TRACT, Dirt.PATCH))
    words = [word.strip() for word in text.split(",")]
    unknown = [word for word in words if word not in list(Dirt)]
    if unknown:
        raise UserError(f"--dirt: no '{unknown[0]}'", remedy=f"known are all, {', '.join(Dirt)}")
    kinds = tuple(Dirt(word) for word in words)
    if len(set(kinds).intersection(_FILINGS)) > 1:
        raise UserError("--dirt: files are by tract, by patch or by visit, not by two of them", remedy="name one")
    return kinds


def write_dirty(planned: SynthPlan, out: Path, kinds: Sequence[Dirt]) -> dict[str, DirtyTable]:
    """Make the planned catalog with dirt, its mapping, and the note of what was done.

    Raises:
        UserError: a folder that is not empty, or too many rows to hold.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"'{out}' is not empty", remedy="--dirt cannot resume: use a new folder")
    if sum(planned.expected_rows.values()) > _MOST_ROWS:
        raise UserError(f"--dirt holds all rows in memory, {_MOST_ROWS:,} at most", remedy="lower --fraction")
    sky = open_sky(planned.identity.recipe, planned.identity.seed)
    chunks = [sky.chunk_tables(task.chunk, task.share) for task in planned.tasks]
    tables = {name: pa.concat_tables(made[name] for made in chunks) for name in sky.chunked} if chunks else {}
    done = {}
    for name, rows in {**tables, **sky.regular_tables()}.items():
        done[name] = _Spoiler(sky, sky.specs[name], frozenset(kinds)).write(rows, out)
    if Dirt.CORRUPT in kinds and done:
        _cut(sorted((out / list(tables or done)[-1]).glob("*.parquet"))[-1])
    (out / "mapping.yaml").write_text(yaml.safe_dump(_mapping(sky, kinds), sort_keys=False), encoding="utf-8")
    note = {"dirt": [str(kind) for kind in kinds], "seed": sky.seed, "recipe": sky.recipe.name}
    note["tables"] = {name: {key: getattr(table, key) for key in table.__slots__} for name, table in done.items()}
    (out / "dirt.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return done


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@dataclass(frozen=True, slots=True)
class _Spoiler:
    """Writes one table with its dirt."""

    sky: SyntheticSky
    spec: TableSpec
    kinds: frozenset[Dirt]

    def write(self, rows: pa.Table, out: Path) -> DirtyTable:
        noted = DirtyTable(rows=rows.num_rows)
        clean, dirty = self._values(rows, noted)
        fields = [Field(column.name, column.type, column.is_nullable) for column in self.spec.table]
        noted.digest = str(digest(clean, fields))
        folder = out / self.spec.table.name
        folder.mkdir(parents=True)
        for number, (name, part) in enumerate(self._files(clean, dirty)):
            shaped = _reshaped(part) if Dirt.MIXED in self.kinds and number % 2 else part
            pq.write_table(shaped.replace_schema_metadata(None), folder / f"{name}.parquet", compression="zstd")
            noted.files += 1
        return noted

    def _random(self, name: str) -> np.random.Generator:
        return stream(self.sky.seed, f"dirt/{self.spec.table.name}", WHOLE_SKY, name)

    def _values(self, rows: pa.Table, noted: DirtyTable) -> tuple[pa.Table, pa.Table]:
        """The rows as they must be stored, and as they are handed over."""
        clean, dirty = rows.combine_chunks(), rows.combine_chunks()
        keys = {
            *self.spec.table.primary_key,
            self.spec.layout.key,
            self.spec.layout.key2,
            self.spec.layout.flag,
            *(self.spec.layout.position or ()),
        }
        floats = [
            one for one in rows.schema if pa.types.is_floating(one.type) and one.nullable and one.name not in keys
        ]
        for one in floats[:: max(1, len(floats) // _COLUMNS)]:
            spoilt = self._numbers(rows[one.name].combine_chunks(), one, noted)
            if spoilt is not None:
                at = rows.schema.get_field_index(one.name)
                clean, dirty = clean.set_column(at, one, spoilt[0]), dirty.set_column(at, one, spoilt[1])
        if Dirt.EMPTY in self.kinds:
            for one in [one for one in rows.schema if pa.types.is_binary(one.type) and one.name not in keys]:
                is_empty = self._random(one.name).random(rows.num_rows) < _SHARE
                emptied = pc.if_else(pa.array(is_empty), pa.scalar(b""), rows[one.name].combine_chunks())
                at = rows.schema.get_field_index(one.name)
                clean, dirty = clean.set_column(at, one, emptied), dirty.set_column(at, one, emptied)
                noted.dirt.setdefault(one.name, {})["empty"] = int(is_empty.sum())
        return clean, dirty

    def _numbers(self, column: pa.Array, one: pa.Field, noted: DirtyTable) -> tuple[pa.Array, pa.Array] | None:
        luck = self._random(one.name).random(len(column))
        odd: list[tuple[str, float, NDArray[np.bool_]]] = []
        if Dirt.NAN in self.kinds:
            odd.append(("nan", np.nan, luck < _SHARE))
        if Dirt.INF in self.kinds:
            odd += [("+inf", np.inf, (luck >= 0.1) & (luck < 0.1 + _SHARE))]
            odd += [("-inf", -np.inf, (luck >= 0.2) & (luck < 0.2 + _SHARE))]
        if Dirt.SENTINEL in self.kinds:
            odd.append(("-999", SENTINEL, (luck >= 0.3) & (luck < 0.3 + _SHARE)))
        if not odd:
            return None
        dirty, is_odd = column, np.zeros(len(column), np.bool_)
        for word, value, where in odd:
            dirty = pc.if_else(pa.array(where), pa.scalar(value, one.type), dirty)
            is_odd |= where
            noted.dirt.setdefault(one.name, {})[word] = int(where.sum())
        return pc.if_else(pa.array(is_odd), pa.scalar(None, one.type), column), dirty

    def _files(self, clean: pa.Table, dirty: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        """The files of a table, by name."""
        if Dirt.UNSORTED in self.kinds:
            order = pa.array(self._random("order").permutation(len(dirty)))
            clean, dirty = clean.take(order), dirty.take(order)
        what, groups = self._groups(clean)
        if groups is None:
            yield "all", dirty
            return
        for group in np.unique(groups).tolist():
            yield f"{what}_{group}", dirty.filter(pa.array(groups == group))

    def _groups(self, rows: pa.Table) -> tuple[str, NDArray[Any] | None]:
        filing = next((kind for kind in _FILINGS if kind in self.kinds), None)
        if filing is None or not self.spec.layout.role.is_chunked:
            return "", None
        visit = next((name for name in _VISIT_COLUMNS if name in rows.column_names), None)
        if filing is Dirt.VISIT and visit is not None:
            return "visit", rows[visit].to_numpy()
        position = self.spec.layout.position
        if position is None:
            return "", None
        tract, patch = tract_and_patch(*(rows[name].to_numpy() for name in position))
        return ("patch", tract * 100 + patch) if filing is Dirt.PATCH else ("tract", tract)


def _reshaped(rows: pa.Table) -> pa.Table:
    """The same rows with columns in reverse order, FLOAT as double and small integers as 64-bit ones."""
    wider = {pa.float32(): pa.float64(), pa.int8(): pa.int64(), pa.int16(): pa.int64(), pa.int32(): pa.int64()}
    names = rows.column_names[::-1]
    columns = [rows[name].cast(wider.get(rows[name].type, rows[name].type)) for name in names]
    return pa.Table.from_arrays(columns, names=names)


def _mapping(sky: SyntheticSky, kinds: Sequence[Dirt]) -> Mapping[str, Any]:
    """A mapping that reads the files back."""
    tables = {}
    for name, spec in sky.specs.items():
        layout = spec.layout.model_dump(mode="json", exclude_defaults=True)
        tables[name] = {"files": [f"{name}/*.parquet"], **layout}
        tables[name] |= {"primary_key": list(spec.table.primary_key)} if spec.table.primary_key else {}
        tables[name]["declare"] = [
            {"name": column.name, "type": column.type.text, "nullable": column.is_nullable} for column in spec.table
        ]
        if Dirt.SENTINEL in kinds:
            floats = [
                column.name for column in spec.table if column.type.base in ("float", "double") and column.is_nullable
            ]
            tables[name]["columns"] = {one: {"from": one, "null_at": [SENTINEL]} for one in floats}
        if Dirt.MIXED in kinds:
            tables[name]["mixed_types"] = True
    striping = sky.recipe.striping.model_dump()
    return {"version": 1, "database": f"{sky.recipe.name}_dirty", "striping": striping, "tables": tables}
