"""A process that answers statements without end, so that it, or a server under it, can be killed.

``python query_driver.py CLUSTER DATABASE SEED``: ``run`` on stdin begins, ``pause`` ends the statements under way. Each
answer is a line: the statement's number and a digest of its rows, or the error. ``paused`` says that none is under way.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import random
import sys
import threading
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.same_answer import normal, rows_of

from skyshard.basics.errors import SkyshardError
from skyshard.testbed import Testbed

THREADS = 3
BEGINS_S = 200.0
KEYS = 12
STATEMENTS = (
    "SELECT COUNT(*), SUM(objectId), MIN(ra), SUM(flag) FROM Object",
    "SELECT flag, COUNT(*), MAX(flux), SUM(objectId) FROM Object GROUP BY flag",
    "SELECT objectId, ra, decl, flag FROM Object",
    "SELECT objectId, ra FROM Object WHERE flux > 1.5 ORDER BY objectId",
    "SELECT COUNT(*), SUM(sourceId), SUM(objectId) FROM Source",
    "SELECT COUNT(*), SUM(s.sourceId) FROM Object o JOIN Source s ON o.objectId = s.objectId WHERE o.flag = 1",
    "SELECT sourceId, objectId FROM Source WHERE psfFlux > 2 ORDER BY sourceId LIMIT 50",
    "SELECT COUNT(*) FROM Object a, Object b "
    "WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.01 AND a.objectId <> b.objectId",
    "SELECT COUNT(*), SUM(night) FROM Visit",
    "SELECT COUNT(*) FROM Object o, Visit v WHERE o.flag = v.night",
    "SELECT COUNT(*), SUM(LENGTH(image)) FROM Cutout",
    "SELECT CRC32(REPEAT('x', 20000 + objectId % 7)) FROM Object WHERE flag = 2",
    *(f"SELECT objectId, ra, decl FROM Object WHERE objectId = {10**12 + 7 * 101 * n}" for n in range(KEYS)),
    *(f"SELECT COUNT(*), SUM(sourceId) FROM Source WHERE objectId = {10**12 + 7 * 53 * n}" for n in range(KEYS)),
)
"""Scans, sums, joins, neighbours, rows by key, large results: of the tables of ``kill_catalog``."""


def digest(table: pa.Table) -> str:
    """Of the rows of an answer, whatever their order; sums of floats as far as their order does not show."""
    rows = [tuple(map(normal, row)) for row in rows_of(table, is_ordered=False)]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def main(cluster: str, database: str, seed: str) -> None:
    go, ended = threading.Event(), threading.Barrier(THREADS + 1)

    def ask(number: int) -> None:
        chosen = random.Random(f"{seed}.{number}")
        while True:
            go.wait()
            while go.is_set():
                _answer(testbed, database, chosen.randrange(len(STATEMENTS)))
            ended.wait()

    faulthandler.dump_traceback_later(BEGINS_S)  # what keeps it, in the log, before the range gives it up
    with Testbed(cluster) as testbed:
        testbed.query(STATEMENTS[0], database=database)
        faulthandler.cancel_dump_traceback_later()
        for number in range(THREADS):
            threading.Thread(target=ask, args=(number,), daemon=True).start()
        _say({"state": "begins"})
        for line in sys.stdin:
            if line.strip() == "run":
                go.set()
            else:
                go.clear()
                ended.wait()
                _say({"state": "paused"})


def _answer(testbed: Testbed, database: str, number: int) -> None:
    try:
        found = {"digest": digest(testbed.query(STATEMENTS[number], database=database).table)}
    except SkyshardError as error:
        found = {"error": str(error), "exit": str(error.exit_code)}
    _say({"statement": number, **found})


def _say(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
