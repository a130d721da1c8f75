"""The golden answers of Qserv's case01, and how the czar's differ from them."""

from __future__ import annotations

import csv
import io
import math
import re
import tarfile
from pathlib import Path

from skyshard.czar.result.output import write_csv
from skyshard.testbed import Testbed

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
GOLDEN = SHARED / "qserv-ingest-case01"


def golden_statements() -> list[tuple[str, str]]:
    """Name and SQL; none where the data is not here."""
    if not GOLDEN.is_dir():
        return []
    return re.findall(r"\[(\w+)\]\n(?:;.*\n)*query=(.*)\n", (GOLDEN / "dbbench.ini").read_text())


def golden_answers() -> dict[str, str]:
    """Name → the rows as CSV."""
    with tarfile.open(GOLDEN / "dbbench-expected.tgz") as archive:
        files = {Path(member.name).stem: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: file.read().decode(errors="replace") for name, file in files.items() if file is not None}


def difference(testbed: Testbed, database: str, sql: str, expected: str) -> str:
    """The first thing in which an answer differs from the golden one, whatever the order; empty if nothing does."""
    want, got = sorted(csv.reader(io.StringIO(expected))), _rows(testbed, database, sql)
    if len(got) != len(want):
        return f"{len(got)} rows, not {len(want)}"
    for one, other in zip(got, want, strict=True):
        if len(one) != len(other) or not all(map(_same, one, other)):
            return f"{one}, not {other}"
    return ""


def _rows(testbed: Testbed, database: str, sql: str) -> list[list[str]]:
    result = testbed.query(sql, database=database)
    out = io.BytesIO()
    write_csv(result.table, result.columns, out, header=False)
    return sorted(csv.reader(io.StringIO(out.getvalue().decode(errors="replace"))))


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-5, abs_tol=1e-9)
    except ValueError:
        return {one, other} <= {"\\N", "NULL", ""}
