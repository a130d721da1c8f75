"""The reference of the alert production database, ``lsst-dax-apdb`` on SQLite, as a store of visits.

It is a program of its own, in an environment of its own: every session is a process of that Python, as every detector
is one in production. ``SKYSHARD_DAX_APDB`` names its interpreter::

    python -m venv dax && dax/bin/pip install lsst-dax-apdb pyarrow
    export SKYSHARD_DAX_APDB=$PWD/dax/bin/python

What differs is evened out here: it answers with supersets of a region and of a time, which are cut; a window of time
begins behind its first moment, ours with it; forced sources are asked for by the ids of a region's objects; flags are
booleans; and it stores a tile twice when it is sent twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.apdb.model import Operation, Reading, Receipt, TableName, TableSize, TileRows, VisitId
from skyshard.apdb.stores.ledger import TILES_SCHEMA
from skyshard.apdb.stores.place_rows import checked
from skyshard.apdb.stores.sky_cells import widened
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, apdb_table
from skyshard.basics.errors import ClusterError, UserError
from skyshard.chunking.sphere import Polygon

PROGRAM = Path(__file__).with_name("apdb_reference_process.py")
INTERPRETER = "SKYSHARD_DAX_APDB"
DRIFT_DEG = 10.0 / 3600.0
"""Objects whose newest position is so far outside of a region may have forced sources in it."""


def reference_python() -> str:
    """The interpreter of the environment that has the reference.

    Raises:
        UserError: none is named, or it has not what is needed.
    """
    named = os.environ.get(INTERPRETER, "")
    tried = (
        named and subprocess.run([named, "-c", "import lsst.dax.apdb, pyarrow"], capture_output=True).returncode == 0
    )
    if not tried:
        what = f"'{named}' has no lsst-dax-apdb" if named else f"{INTERPRETER} names no Python with lsst-dax-apdb"
        raise UserError(what, remedy="python -m venv dax && dax/bin/pip install lsst-dax-apdb pyarrow")
    return named


class ReferenceSession:
    """One process of the reference (:class:`~skyshard.apdb.model.StoreSession`)."""

    def __init__(self, python: str, config: Path, tiles: dict[tuple[int, int], float]) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=config.parent)
        self._tiles = tiles
        self._process = subprocess.Popen(
            [python, PROGRAM, config, ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )  # fmt: skip
        self._reply()

    def holds(self, tile: VisitId) -> bool:
        return bool(self.ask("holds", visit=tile.visit, detector=tile.detector)["answer"])

    def read_objects(self, region: Polygon) -> Reading:
        return self._read("DiaObjectLast", "objects", region, region, None)

    def read_sources(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        return self._read("DiaSource", "sources", region, region, columns, since=since, until=until)

    def read_forced(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        wider = widened(region, DRIFT_DEG)
        return self._read("DiaForcedSource", "forced", region, wider, columns, since=since, until=until)

    def store(self, rows: TileRows) -> Receipt:
        begun, tile = time.perf_counter(), rows.tile
        content = checked(rows)
        if self.holds(tile.id):
            return Receipt(True, ())
        given: dict[TableName, pa.Table] = {
            "DiaObject": content.objects, "DiaSource": content.sources, "DiaForcedSource": content.forced,
        }  # fmt: skip
        paths = {name: self._written(name, table) for name, table in given.items()}
        reply = self.ask("store", tables=paths, time=tile.time)
        self._tiles[tile.id.visit, tile.id.detector] = tile.time
        client_s = time.perf_counter() - begun - reply["seconds"]
        return Receipt(False, (Operation("", "commit", 0, 0, reply["seconds"], client_s),))

    def close(self) -> None:
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._folder.cleanup()

    def ask(self, call: str, **keys: Any) -> dict[str, Any]:
        """What the reference answers to a call of :mod:`apdb_reference_process`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"call": call, **keys}) + "\n")
        self._process.stdin.flush()
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        reply: dict[str, Any] = json.loads(line) if line else {"error": "it has ended"}
        if "error" in reply:
            raise ClusterError(f"the reference: {reply['error']}")
        return reply

    def _read(
        self, name: TableName, call: str, region: Polygon, asked: Polygon, columns: Sequence[str] | None, **keys: float
    ) -> Reading:
        begun, path = time.perf_counter(), f"{self._folder.name}/{call}.arrow"
        before = {"since": float(np.nextafter(keys["since"], 0.0))} if keys else {}
        reply = self.ask(call, region=asked.vertices, into=path, **keys | before)
        with pa.memory_map(path) as file, pa.ipc.open_file(file) as reader:
            rows = _typed(name, reader.read_all())
        is_inside = region.contains(rows["ra"].to_numpy(), rows["dec"].to_numpy())
        if keys:
            times = rows[apdb_table(name).time].to_numpy()
            is_inside &= (times >= keys["since"]) & (times < keys["until"])
        chosen = apdb_table(name).chosen(None if columns is None else tuple(columns))
        inside = rows.filter(pa.array(is_inside)).select(chosen.names).combine_chunks()
        client_s = time.perf_counter() - begun - reply["seconds"]
        return Reading(inside, (Operation(name, "select", rows.num_rows, rows.nbytes, reply["seconds"], client_s),))

    def _written(self, name: TableName, table: pa.Table) -> str:
        path = f"{self._folder.name}/{name}.arrow"
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        return path


def _typed(name: TableName, rows: pa.Table) -> pa.Table:
    """Rows as our schema has them: columns by name, booleans as numbers, what is no number as NULL."""
    columns = []
    for field in apdb_table(name).schema:
        column = rows[field.name]
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
        columns.append(column.cast(field.type, safe=field.type != pa.float32()))
    return pa.table(columns, schema=apdb_table(name).schema)


class ReferenceStore:
    """A new database of the reference in a folder (:class:`~skyshard.apdb.model.VisitStore`)."""

    name = "lsst-dax-apdb, SQLite"

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            UserError: the reference is not installed.
        """
        self._python, self._config = reference_python(), folder / "apdb.yaml"
        self._tiles: dict[tuple[int, int], float] = {}
        self._lock = threading.Lock()
        made = subprocess.run(
            [self._python, PROGRAM, self._config, f"sqlite:///{folder}/apdb.db"], capture_output=True, text=True,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )  # fmt: skip
        if made.returncode:
            raise ClusterError(f"the reference makes no database: {made.stderr.strip().splitlines()[-1]}")

    def open_session(self) -> ReferenceSession:
        return ReferenceSession(self._python, self._config, self._tiles)

    def describe(self) -> Mapping[str, object]:
        return {"backend": "reference", "engine": "SQLite", "pixels": "htm-20", "nodes": 1}

    def stored_tiles(self) -> pa.Table:
        columns = [*zip(*self._tiles, strict=True)] or [(), ()]
        given = zip([*columns, list(self._tiles.values())], TILES_SCHEMA.types, strict=True)
        return pa.table([pa.array(one, kind) for one, kind in given], TILES_SCHEMA)

    def prepare_month(self, time: float) -> Sequence[Operation]:
        """The reference has no partitions in SQLite."""
        return ()

    def drop_before(self, time: float) -> Sequence[Operation]:
        """The reference drops nothing in SQLite."""
        return ()

    def purge_objects(self, time: float) -> Sequence[Operation]:
        return ()

    def sizes(self) -> Mapping[TableName, TableSize]:
        """Rows; bytes are those of the whole file, with the table that is most of it."""
        session = self.open_session()
        try:
            counts = session.ask("counts")["answer"]
        finally:
            session.close()
        size = self._config.with_name("apdb.db").stat().st_size
        return {name: TableSize(int(counts.get(name, 0)), size * (name == "DiaSource")) for name in TABLE_NAMES}

    def close(self) -> None:
        pass
