# mypy: ignore-errors
"""Runs with the Python of another environment, where ``lsst-dax-apdb`` is, and asks it what lines of JSON say.

Rules: no Skyshard in here, and no ``lsst-dax-apdb`` anywhere else: that package is under GPL-3, a program of its own
beside ours. Rows come and go as Arrow files. A line is a call with its keys; so is the answer, which says how long the
reference took for it.
"""

import json
import sys
import time

import astropy.time
import pandas
import pyarrow as pa
from lsst.dax.apdb import Apdb, ApdbTables
from lsst.dax.apdb.sql import ApdbSql
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

NULLABLE = {
    pa.int8(): pandas.Int8Dtype(), pa.int16(): pandas.Int16Dtype(), pa.int32(): pandas.Int32Dtype(),
    pa.int64(): pandas.Int64Dtype(),
}  # fmt: skip


class Reference:
    """One client of a reference database."""

    def __init__(self, config: str) -> None:
        self._apdb = Apdb.from_uri(config)

    def schema(self, call):
        """Columns of each table, with their types, whether they may be NULL, and whether they are of the key."""
        return {
            table.name: [
                (one.name, str(one.datatype.value), one.nullable, one in definition.primary_key)
                for one in definition.columns
            ]
            for table in ApdbTables
            if (definition := self._apdb.tableDef(table)) is not None
        }  # fmt: skip

    def objects(self, call):
        return _written(self._apdb.getDiaObjects(_region(call)), call)

    def sources(self, call):
        return _written(self._apdb.getDiaSources(_region(call), None, _time(call["until"]), _time(call["since"])), call)

    def forced(self, call):
        """By the ids of a region's objects, which is how the reference is asked."""
        ids = self._apdb.getDiaObjects(_region(call))["diaObjectId"].tolist()
        return _written(self._apdb.getDiaForcedSources(None, ids, _time(call["until"]), _time(call["since"])), call)

    def store(self, call):
        given = {name: _read(path) for name, path in call["tables"].items()}
        objects = given["DiaObject"].drop(columns=["validityStartMjdTai", "validityEndMjdTai"])
        self._apdb.store(_time(call["time"]), objects, given["DiaSource"], given["DiaForcedSource"])

    def holds(self, call):
        return bool(self._apdb.containsVisitDetector(call["visit"], call["detector"]))

    def counts(self, call):
        return self._apdb.tableRowCount()


def _time(mjd):
    return astropy.time.Time(mjd, format="mjd", scale="tai")


def _region(call):
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*corner)) for corner in call["region"]])


def _read(path):
    with pa.memory_map(path) as file, pa.ipc.open_file(file) as reader:
        return reader.read_all().to_pandas(types_mapper=NULLABLE.get)


def _written(frame, call):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.OSFile(call["into"], "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return table.num_rows


def main(config: str, url: str) -> None:
    """Make the database that ``url`` names, or serve the one of a configuration until the input ends."""
    if url:
        ApdbSql.init_database(url, dia_object_index="last_object_table", connection_timeout=120).save(config)
        return
    replies, sys.stdout = sys.stdout, sys.stderr
    reference = Reference(config)
    print(json.dumps({"answer": "ready"}), file=replies, flush=True)
    for line in sys.stdin:
        call = json.loads(line)
        begun = time.perf_counter()
        try:
            reply = {"answer": getattr(reference, call["call"])(call)}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply | {"seconds": time.perf_counter() - begun}), file=replies, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
