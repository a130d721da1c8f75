"""The rows of a replica chunk as a source of an ordinary ingest: a Parquet file a table, and a mapping.

The folder appears whole, by a rename, and stays until its rows are published: whoever goes on after a kill ingests the
same bytes, so that the ingest knows them again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from skyshard.apdb.model import TableName
from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.apdb.replica.replica_chunks import ReplicaChunk
from skyshard.apdb.tables.apdb_tables import ApdbTable, apdb_table
from skyshard.catalog.layout import Striping
from skyshard.db.connection import Account, connect, quote_name
from skyshard.registry.catalog.mutable_chunks import STORED_BY
from skyshard.rowimage.sqltype import TypeClass

COPIED: tuple[TableName, ...] = ("DiaObject", "DiaSource", "DiaForcedSource")
"""Every version of objects, and all sources; DiaObjectLast follows from the first."""
MAPPING = "mapping.yaml"
_SUB_CHUNK_ARCMIN = 10
"""Sub-chunks of the published copy are so high, at least."""
_FOLLOWS: dict[str, object] = {
    "role": "dependent",
    "director": "DiaObject",
    "key": "diaObjectId",
    "position": ["ra", "dec"],
}
_ROLES: dict[TableName, dict[str, object]] = {
    "DiaObject": {
        "role": "director", "key": "diaObjectId", "duplicates": "keep-all", "position": ["ra", "dec"],
        "primary_key": [],
    },
    "DiaSource": _FOLLOWS,
    "DiaForcedSource": _FOLLOWS,
}  # fmt: skip


def export_chunk(database: MutableDatabase, chunk: ReplicaChunk, folder: Path, into: str) -> int:
    """Write a chunk's rows and mapping to ``folder``, unless they are there; returns the rows that it has.

    Raises:
        ClusterError: a node does not answer.
    """
    if not folder.exists():
        draft = folder.with_name(f"{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for name in COPIED:
            rows = read_chunk(database, chunk, apdb_table(name))
            if rows.num_rows:
                pq.write_table(rows, draft / f"{name}.parquet")
        (draft / MAPPING).write_text(_mapping(database, into), encoding="utf-8")
        draft.rename(folder)
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))


def read_chunk(database: MutableDatabase, chunk: ReplicaChunk, kind: ApdbTable) -> pa.Table:
    """The rows of one table that the stores of a chunk brought, sorted by key."""
    visits, times = [one.visit for one in chunk.tiles], [one.time for one in chunk.tiles]
    near = f"visit BETWEEN {min(visits)} AND {max(visits)}"
    if kind.name == "DiaObject":
        near = f"{quote_name(kind.time)} BETWEEN {min(times)!r}e0 AND {max(times)!r}e0"
    stores = ", ".join(str(one.number) for one in chunk.tiles)
    select = f"SELECT {_columns(kind)} FROM {quote_name(kind.name)} WHERE {near} AND {STORED_BY} IN ({stores})"
    tables = [_read(database, node, select, kind.schema) for node in sorted(set(database.placed().values()))]
    found = pa.concat_tables([kind.schema.empty_table(), *tables])
    return found.sort_by([(name, "ascending") for name in kind.key])


def _columns(kind: ApdbTable) -> str:
    """Names of columns, those of single precision so that no digit is lost on the way."""
    floats = {column.name for column in kind.table if column.type.type_class is TypeClass.FLOATING}
    names = kind.schema.names
    return ", ".join(f"CAST({quote_name(n)} AS DOUBLE)" if n in floats else quote_name(n) for n in names)


def _read(database: MutableDatabase, node: str, select: str, schema: pa.Schema) -> pa.Table:
    with connect(database.cluster.node(node).sql, Account.READER, database.database) as reader:
        rows: Sequence[Sequence[object]] = reader.rows(select)
    if not rows:
        return schema.empty_table()
    arrays = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _mapping(database: MutableDatabase, into: str) -> str:
    striping = _striping(database, into)
    tables = {name: {"files": [f"{name}.parquet"], "optional": True, **_ROLES[name]} for name in COPIED}
    content = {
        "version": 1, "database": into, "schema": "apdb", "striping": striping.model_dump(), "tables": tables,
    }  # fmt: skip
    return yaml.safe_dump(content, sort_keys=False)


def _striping(database: MutableDatabase, into: str) -> Striping:
    """The published copy's, which stays as it is: earlier releases gave it the mutable one's, however small."""
    own, stored = database.layout.striping, database.registry.published.names().find(into)
    known = database.registry.databases.layout(stored) if stored else None
    return own if known is not None and known.striping == own else published_striping(own)


def published_striping(striping: Striping) -> Striping:
    """The published copy's: the same chunks, in sub-chunks that pairs by position are looked for in one by one.

    >>> published_striping(Striping(stripes=85, substripes=48, overlap_deg=0.01667)).family
    '85-12-0.01667'
    >>> published_striping(Striping(stripes=18, substripes=6, overlap_deg=0.1)).family
    '18-6-0.1'
    """
    most = int(180 * 60 / striping.stripes / _SUB_CHUNK_ARCMIN)
    return striping.model_copy(update={"substripes": max(1, min(striping.substripes, most))})
